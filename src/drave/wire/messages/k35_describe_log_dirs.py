"""DescribeLogDirs: how much lies in which folder of a broker."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64, since


class DescribableLogDirTopic(Struct):
    topic: str
    partitions: list[int32]


class DescribeLogDirsRequest(Struct, versions=(1, 5), flexible=2):
    topics: list[DescribableLogDirTopic] | None


class DescribeLogDirsPartition(Struct):
    partition_index: int32
    partition_size: int64
    offset_lag: int64
    is_future_key: bool


class DescribeLogDirsTopic(Struct):
    name: str
    partitions: list[DescribeLogDirsPartition]


class DescribeLogDirsResult(Struct):
    error_code: int16 = 0
    log_dir: str
    topics: list[DescribeLogDirsTopic]
    total_bytes: int64 = since(4, default=-1)  # KIP-827
    usable_bytes: int64 = since(4, default=-1)  # KIP-827
    is_cordoned: bool = since(5, default=False)  # KIP-1066


class DescribeLogDirsResponse(Struct, versions=(1, 5), flexible=2):
    throttle_time_ms: int32 = 0
    error_code: int16 = since(3, default=0)
    results: list[DescribeLogDirsResult]
