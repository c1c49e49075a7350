"""Offsets that a producer commits in its transaction: when they count, and what is done to them before that."""

from __future__ import annotations

from typing import Any

from differential.calls import commit, committed, delete_offsets, delete_topics
from differential.scenario import scenario
from differential.stage import Stage, Topic
from differential.writers import BUSY, END_V1, Writer, new_writer
from drave.wire.api import ApiKey
from drave.wire.messages.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest

TXN_OFFSET_COMMIT_V1 = 4
"""The last version before the commit adds the group's partition itself."""


def _pending(stage: Stage, writer: Writer, group: str, topic: Topic, offsets: dict[int, int]) -> None:
    """Quietly: these offsets wait for the end of the transaction."""
    writer.add_offsets(group)
    request = writer.offsets(group, topic, offsets)
    stage.wait(request, lambda answer: not _refusal(answer), TXN_OFFSET_COMMIT_V1)


def _refusal(answer: Any) -> int:
    return int(answer.topics[0].partitions[0].error_code)


def _end(stage: Stage, writer: Writer, *, commit: bool) -> None:
    """Quietly, and until the coordinator is through: the marker is there then."""
    request = writer.ending(commit=commit)
    stage.wait(request, lambda answer: answer.error_code not in BUSY, END_V1)
    stage.wait(request, lambda answer: answer.error_code not in BUSY, END_V1)


def _offsets_of(stage: Stage, group: str, topic: Topic) -> None:
    stage.ask(committed(group, topic, *range(topic.partitions)))
    stage.ask(committed(group, topic, *range(topic.partitions), require_stable=True))


@scenario(ApiKey.TXN_OFFSET_COMMIT, commit_it=(True, False))
def offsets_count_when_their_transaction_commits(stage: Stage, version: int, commit_it: bool) -> None:
    topic, group, writer = stage.topic(partitions=2), stage.group(), new_writer(stage)
    stage.quietly(commit(group, topic, {0: 3}))
    writer.add_offsets(group)
    stage.ask(writer.offsets(group, topic, {0: 7, 1: 9}), version)
    _offsets_of(stage, group, topic)
    _end(stage, writer, commit=commit_it)
    _offsets_of(stage, group, topic)


@scenario(commit_it=(True, False))
def a_group_that_has_nothing_but_offsets_that_wait(stage: Stage, commit_it: bool) -> None:
    topic, group, writer = stage.topic(), stage.group(), new_writer(stage)
    _pending(stage, writer, group, topic, {0: 7})
    stage.ask(DescribeGroupsRequest(groups=[group]))
    _end(stage, writer, commit=commit_it)
    stage.ask(DescribeGroupsRequest(groups=[group]))
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    stage.ask(DescribeGroupsRequest(groups=[group]))


@scenario(ApiKey.DELETE_GROUPS, had=(True, False))
def deleting_a_group_takes_the_offsets_that_wait_with_it(stage: Stage, version: int, had: bool) -> None:
    """`had`: something was committed before, in one of the two partitions."""
    topic, group, writer = stage.topic(partitions=2), stage.group(), new_writer(stage)
    if had:
        stage.quietly(commit(group, topic, {0: 3}))
    _pending(stage, writer, group, topic, {0: 7, 1: 9})
    stage.ask(DeleteGroupsRequest(groups_names=[group]), version)
    _offsets_of(stage, group, topic)
    _end(stage, writer, commit=True)
    _offsets_of(stage, group, topic)
    stage.ask(DescribeGroupsRequest(groups=[group]))


@scenario(ApiKey.OFFSET_DELETE, had=(True, False))
def deleting_an_offset_takes_the_one_that_waits_with_it(stage: Stage, version: int, had: bool) -> None:
    topic, group, writer = stage.topic(partitions=2), stage.group(), new_writer(stage)
    if had:
        stage.quietly(commit(group, topic, {0: 3, 1: 4}))
    _pending(stage, writer, group, topic, {0: 7, 1: 9})
    stage.ask(delete_offsets(group, (topic, (0,))), version)
    _offsets_of(stage, group, topic)
    _end(stage, writer, commit=True)
    _offsets_of(stage, group, topic)


@scenario()
def a_commit_without_a_transaction_overtakes_one_that_waits(stage: Stage) -> None:
    topic, group, writer = stage.topic(), stage.group(), new_writer(stage)
    _pending(stage, writer, group, topic, {0: 7})
    stage.ask(commit(group, topic, {0: 5}))
    _offsets_of(stage, group, topic)
    _end(stage, writer, commit=True)
    _offsets_of(stage, group, topic)


@scenario(order=("ab", "ba"))
def two_transactions_that_commit_the_same_offset(stage: Stage, order: str) -> None:
    topic, group = stage.topic(), stage.group()
    writers = {word: new_writer(stage, word) for word in "ab"}
    for offset, writer in zip((7, 9), writers.values(), strict=True):
        _pending(stage, writer, group, topic, {0: offset})
    for word in order:
        _end(stage, writers[word], commit=True)
        _offsets_of(stage, group, topic)


@scenario()
def a_topic_that_is_deleted_under_offsets_that_wait(stage: Stage) -> None:
    topic, group, writer = stage.topic(), stage.group(), new_writer(stage)
    _pending(stage, writer, group, topic, {0: 7})
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    _end(stage, writer, commit=True)
    stage.ask(OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=None)]), 8)
