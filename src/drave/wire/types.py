"""Field types that only Kafka's messages have."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from drave.model.ids import TopicId
from drave.schema.types import UUID

topic_uuid: TypeAlias = Annotated[TopicId, UUID]
"""A topic's id: a `uuid` that type checkers tell from others."""
