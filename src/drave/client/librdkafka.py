"""confluent-kafka's names in one place. Loading it costs some 80 ms, so it is imported inside functions.

Its type hints know the C extension's classes, but not what the admin package passes on: that is Any here, once, rather
than with a remark at each use.
"""

from __future__ import annotations

import importlib
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
    libversion,
)

_admin: Any = importlib.import_module("confluent_kafka.admin")

AdminClient: Any = _admin.AdminClient
AlterConfigOpType: Any = _admin.AlterConfigOpType
ConfigEntry: Any = _admin.ConfigEntry
ConfigResource: Any = _admin.ConfigResource
NewPartitions: Any = _admin.NewPartitions
NewTopic: Any = _admin.NewTopic
IsolationLevel: Any = importlib.import_module("confluent_kafka").IsolationLevel
OffsetSpec: Any = _admin.OffsetSpec
ResourceType: Any = _admin.ResourceType

__all__ = [
    "OFFSET_BEGINNING",
    "OFFSET_END",
    "AdminClient",
    "AlterConfigOpType",
    "ConfigEntry",
    "ConfigResource",
    "Consumer",
    "IsolationLevel",
    "KafkaError",
    "KafkaException",
    "Message",
    "NewPartitions",
    "NewTopic",
    "OffsetSpec",
    "Producer",
    "ResourceType",
    "TopicCollection",
    "TopicPartition",
    "libversion",
]
