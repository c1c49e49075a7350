"""What changes slowly: topics and their configs, broker configs, quotas, the cluster's id, producer ids.

    Catalog ◀── SqliteCatalog   one file, one machine          (drave.catalog.sqlite)
            ◀── MemoryCatalog   the twin for simulations       (drave.catalog.memory)

Only `drave.server` and tests name a backend; everybody else asks the `Catalog`.
"""

from drave.catalog.base import PRODUCER_ID_BLOCK, Catalog
from drave.catalog.names import (
    CONSUMER_OFFSETS,
    INTERNAL_TOPICS,
    SHARE_GROUP_STATE,
    TRANSACTION_STATE,
    InvalidTopic,
    check_topic_name,
)
from drave.catalog.topic import (
    CatalogUnusable,
    Change,
    InvalidPartitions,
    NoSuchTopic,
    Topic,
    TopicAlreadyExists,
    TopicIdTaken,
)

__all__ = [
    "CONSUMER_OFFSETS",
    "INTERNAL_TOPICS",
    "PRODUCER_ID_BLOCK",
    "SHARE_GROUP_STATE",
    "TRANSACTION_STATE",
    "Catalog",
    "CatalogUnusable",
    "Change",
    "InvalidPartitions",
    "InvalidTopic",
    "NoSuchTopic",
    "Topic",
    "TopicAlreadyExists",
    "TopicIdTaken",
    "check_topic_name",
]
