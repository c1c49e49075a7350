"""DeleteShareGroupOffsets: what a share group remembers of some topics goes."""

from __future__ import annotations

from drave.schema import Struct, int16, int32
from drave.wire.types import topic_uuid


class DeleteShareGroupOffsetsRequestTopic(Struct):
    topic_name: str


class DeleteShareGroupOffsetsRequest(Struct, versions=(0, 0), flexible=0):
    group_id: str
    topics: list[DeleteShareGroupOffsetsRequestTopic]


class DeleteShareGroupOffsetsResponseTopic(Struct):
    topic_name: str
    topic_id: topic_uuid
    error_code: int16 = 0
    error_message: str | None = None


class DeleteShareGroupOffsetsResponse(Struct, versions=(0, 0), flexible=0):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: str | None = None
    responses: list[DeleteShareGroupOffsetsResponseTopic]
