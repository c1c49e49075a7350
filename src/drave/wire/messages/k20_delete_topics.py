"""DeleteTopics: topics that go, by name or by id."""

from __future__ import annotations

from drave.model.ids import ZERO_TOPIC_ID
from drave.schema import Struct, int16, int32, nullable, since, until
from drave.wire.types import topic_uuid


class DeleteTopicState(Struct):
    name: str | None = None
    topic_id: topic_uuid


class DeleteTopicsRequest(Struct, versions=(1, 6), flexible=4):
    topics: list[DeleteTopicState] = since(6, default=[])  # KIP-516
    topic_names: list[str] = until(5, default=[])
    timeout_ms: int32


class DeletableTopicResult(Struct):
    name: str | None = nullable(6)
    topic_id: topic_uuid = since(6, default=ZERO_TOPIC_ID)  # KIP-516
    error_code: int16 = 0
    error_message: str | None = since(5, default=None)


class DeleteTopicsResponse(Struct, versions=(1, 6), flexible=4):
    throttle_time_ms: int32 = 0
    responses: list[DeletableTopicResult]
