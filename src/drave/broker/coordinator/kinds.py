"""Which kind of group each record of `__consumer_offsets` is about. A new kind adds its class to the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drave.broker.coordinator.classic.group import ClassicGroup
from drave.broker.coordinator.consumer.group import ConsumerGroup
from drave.broker.coordinator.group import Group
from drave.broker.coordinator.schemas.offsets_topic import GroupRecord
from drave.broker.coordinator.share.group import ShareGroup
from drave.broker.coordinator.streams.group import StreamsGroup

KINDS: Final[tuple[type[Group], ...]] = (ClassicGroup, ConsumerGroup, ShareGroup, StreamsGroup)

KIND_OF_RECORD: Final[Mapping[GroupRecord, type[Group]]] = {record: kind for kind in KINDS for record in kind.records}
