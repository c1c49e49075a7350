"""Where a partition begins when records are deleted: at an offset, at a time, or at its end.

    start ├──── deleted ────┬───────────────┤ end
                            new start            nothing lies outside, so neither may a new start

There is no way back, so it is planned first and carried out after.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from drave.client.connection import ANSWER_TIMEOUT_S, result
from drave.client.resets import Target, Toward, aim
from drave.client.topics import Bounds, TopicPartitionId, Topics


@dataclass(frozen=True, slots=True)
class Deletion:
    """One partition's records before `offset`."""

    partition: TopicPartitionId
    offset: int
    bounds: Bounds

    @property
    def records(self) -> int:
        """How many go; gaps and control records count too."""
        return self.offset - self.bounds.start


def plan_deletions(topics: Topics, topic: str, partition: int | None, target: Target) -> list[Deletion]:
    """What would go from one partition, or from all (None). Raises NotFound."""
    bounds = topics.bounds(topics.partitions(topic, partition))
    since = topics.offsets_since(bounds, target.amount) if target.toward is Toward.TIME else {}
    return [Deletion(each, aim(target, None, where, since.get(each)), where) for each, where in bounds.items()]


def delete_records(topics: Topics, deletions: Iterable[Deletion]) -> None:
    """Carry out what was planned. Raises ClientError for the first partition that refuses."""
    from drave.client.librdkafka import TopicPartition

    offsets = [TopicPartition(*each.partition, each.offset) for each in deletions if each.records]
    if not offsets:
        return
    futures = topics.admin.delete_records(offsets, request_timeout=ANSWER_TIMEOUT_S)
    for asked, future in futures.items():
        result(future, f"delete records of {asked.topic}-{asked.partition}")
