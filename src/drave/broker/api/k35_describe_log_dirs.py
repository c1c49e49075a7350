"""DescribeLogDirs: how much lies in this broker's folder, and how much room is left there."""

from __future__ import annotations

from collections.abc import Iterable

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.catalog import Topic
from drave.model.errors import ErrorCode
from drave.wire.messages.k35_describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)


def describe_log_dirs(broker: Broker, context: Context, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse:
    """The one folder. What is asked for and not there is left out."""
    result = DescribeLogDirsResult(log_dir=log_dir(broker), topics=[])
    try:
        result.total_bytes, result.usable_bytes = broker.logs.space()
    except OSError:
        result.error_code = ErrorCode.KAFKA_STORAGE_ERROR
    else:
        result.topics = list(_topics(broker, request))
    return DescribeLogDirsResponse(results=[result])


def log_dir(broker: Broker) -> str:
    """The name of the folder that the partitions' folders lie in."""
    return str(broker.logs.folder.absolute())


def _topics(broker: Broker, request: DescribeLogDirsRequest) -> Iterable[DescribeLogDirsTopic]:
    for topic, indexes in _asked(broker, request):
        partitions = list(_partitions(broker, topic, indexes))
        if partitions:
            yield DescribeLogDirsTopic(name=topic.name, partitions=partitions)


def _asked(broker: Broker, request: DescribeLogDirsRequest) -> Iterable[tuple[Topic, Iterable[int]]]:
    """Topics with the partitions that are asked for, each once; null asks for all."""
    topics = broker.catalog.topics()
    if request.topics is None:
        return [(topic, range(topic.partitions)) for topic in topics.values()]
    asked: dict[str, dict[int, None]] = {}
    for each in request.topics:
        asked.setdefault(each.topic, {}).update(dict.fromkeys(each.partitions))
    return [(topics[name], indexes) for name, indexes in asked.items() if name in topics]


def _partitions(broker: Broker, topic: Topic, indexes: Iterable[int]) -> Iterable[DescribeLogDirsPartition]:
    """A leader lags behind nobody, and no replica is on its way to another folder."""
    for index in indexes:
        log = broker.logs.partition(topic.topic_id, index)
        if log is not None:
            yield DescribeLogDirsPartition(
                partition_index=index, partition_size=log.size_bytes, offset_lag=0, is_future_key=False
            )
