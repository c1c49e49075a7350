"""The requests of transactions (24 to 28, 65, 66, and 9 with `require_stable`), as clients of each version see them."""

from __future__ import annotations

from typing import Any

import pytest

from drave.catalog import Topic
from drave.model.errors import ErrorCode
from drave.wire.messages.k09_offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest
from drave.wire.messages.k24_add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from drave.wire.messages.k25_add_offsets_to_txn import AddOffsetsToTxnRequest
from drave.wire.messages.k26_end_txn import EndTxnRequest
from drave.wire.messages.k27_write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)
from drave.wire.messages.k28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest
from drave.wire.messages.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from drave.wire.messages.k65_describe_transactions import DescribeTransactionsRequest
from drave.wire.messages.k66_list_transactions import ListTransactionsRequest


@pytest.fixture
async def topic(asker) -> Topic:
    return await asker.create_topic("rides", 3)


@pytest.fixture
async def producer(see) -> tuple[int, int]:
    made = await see(InitProducerIdRequest(transactional_id="tx", transaction_timeout_ms=60_000))
    return made.producer_id, made.producer_epoch


def adding(producer: tuple[int, int], *indexes: int, topic: str = "rides", **more: Any) -> AddPartitionsToTxnRequest:
    topics = [AddPartitionsToTxnTopic(name=topic, partitions=list(indexes))]
    one = AddPartitionsToTxnTransaction(
        transactional_id="tx", producer_id=producer[0], producer_epoch=producer[1], topics=topics, **more
    )
    return AddPartitionsToTxnRequest(
        transactions=[one],
        v3_and_below_transactional_id="tx",
        v3_and_below_producer_id=producer[0],
        v3_and_below_producer_epoch=producer[1],
        v3_and_below_topics=topics,
    )


def codes(response: Any, version: int) -> list[int]:
    of_versions = response.results_by_topic_v3_and_below
    topics = of_versions if version < 4 else response.results_by_transaction[0].topic_results
    return [each.partition_error_code for topic in topics for each in topic.results_by_partition]


def ending(producer: tuple[int, int], *, commit: bool = True) -> EndTxnRequest:
    return EndTxnRequest(transactional_id="tx", producer_id=producer[0], producer_epoch=producer[1], committed=commit)


def committing(producer: tuple[int, int], offset: int, topic: Topic, **more: Any) -> TxnOffsetCommitRequest:
    partition = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset, committed_metadata="note")
    return TxnOffsetCommitRequest(
        transactional_id="tx",
        group_id="g",
        producer_id=producer[0],
        producer_epoch=producer[1],
        topics=[TxnOffsetCommitRequestTopic(name=topic.name, topic_id=topic.topic_id, partitions=[partition])],
        **more,
    )


async def fetched(see: Any, *, stable: bool) -> tuple[int, int]:
    asked = OffsetFetchRequestTopics(name="rides", partition_indexes=[0])
    response = await see(
        OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=[asked])], require_stable=stable), 9
    )
    found = response.groups[0].topics[0].partitions[0]
    return found.error_code, found.committed_offset


async def until_complete(see: Any) -> str:
    """What a transaction has become once its markers are durable."""
    while True:
        described = await see(DescribeTransactionsRequest(transactional_ids=["tx"]))
        state: str = described.transaction_states[0].transaction_state
        if not state.startswith("Prepare"):
            return state


@pytest.mark.parametrize("version", range(6))
async def test_partitions_are_added_and_then_verified(see, topic, producer, version):
    assert codes(await see(adding(producer, 0, 2), version), version) == [0, 0]
    verified = await see(adding(producer, 0, 1, verify_only=True), 5)
    assert codes(verified, 5) == [ErrorCode.NONE, ErrorCode.TRANSACTION_ABORTABLE]
    verified = await see(adding(producer, 0, 1, verify_only=True), 4)
    assert codes(verified, 4) == [ErrorCode.NONE, ErrorCode.INVALID_TXN_STATE]


@pytest.mark.parametrize("version", range(6))
async def test_all_partitions_are_added_or_none(see, topic, producer, version):
    response = await see(adding(producer, 0, 3), version)
    assert codes(response, version) == [ErrorCode.OPERATION_NOT_ATTEMPTED, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert codes(await see(adding(producer, 0, verify_only=True), 5), 5) == [ErrorCode.TRANSACTION_ABORTABLE]


@pytest.mark.parametrize(("version", "code"), [(1, ErrorCode.INVALID_PRODUCER_EPOCH), (2, ErrorCode.PRODUCER_FENCED)])
async def test_the_fenced_are_told_so_in_words_of_their_version(see, topic, producer, version, code):
    old = producer[0], producer[1] + 1
    assert codes(await see(adding(old, 0), version), version) == [code]
    assert (await see(ending(old), version)).error_code == code
    request = AddOffsetsToTxnRequest(transactional_id="tx", producer_id=old[0], producer_epoch=old[1], group_id="g")
    assert (await see(request, version)).error_code == code


@pytest.mark.parametrize("version", range(6))
@pytest.mark.parametrize("commit", [True, False])
async def test_a_transaction_ends_with_a_marker_in_each_partition(see, broker, topic, producer, version, commit):
    """From version 5 on the producer is told its next epoch (KIP-890)."""
    await see(adding(producer, 0, 1), 3)
    response = await see(ending(producer, commit=commit), version)
    assert response.error_code == ErrorCode.NONE
    assert (response.producer_id, response.producer_epoch) == ((producer[0], 1) if version == 5 else (-1, -1))
    assert await until_complete(see) == ("CompleteCommit" if commit else "CompleteAbort")
    assert [broker.partition(topic, index).end for index in range(3)] == [1, 1, 0]


@pytest.mark.parametrize("version", range(7))
async def test_offsets_count_when_their_transaction_commits(see, topic, producer, version):
    """KIP-447: who asks for what is stable is told to wait; others see what was committed before."""
    if version < 5:
        request = AddOffsetsToTxnRequest(
            transactional_id="tx", producer_id=producer[0], producer_epoch=producer[1], group_id="g"
        )
        assert (await see(request)).error_code == ErrorCode.NONE
    response = await see(committing(producer, 7, topic), version)
    assert [each.error_code for each in response.topics[0].partitions] == [0]
    assert await fetched(see, stable=True) == (ErrorCode.UNSTABLE_OFFSET_COMMIT, -1)
    assert await fetched(see, stable=False) == (ErrorCode.NONE, -1)
    await see(ending(producer))
    await until_complete(see)
    assert await fetched(see, stable=True) == (ErrorCode.NONE, 7)


async def test_offsets_of_an_aborted_transaction_are_forgotten(see, topic, producer):
    await see(committing(producer, 7, topic))
    await see(ending(producer, commit=False))
    await until_complete(see)
    assert await fetched(see, stable=True) == (ErrorCode.NONE, -1)


@pytest.mark.parametrize(
    ("version", "code"), [(3, ErrorCode.INVALID_TXN_STATE), (4, ErrorCode.TRANSACTION_ABORTABLE), (5, ErrorCode.NONE)]
)
async def test_before_version_5_the_groups_partition_has_to_be_added_first(see, topic, producer, version, code):
    response = await see(committing(producer, 7, topic), version)
    assert response.topics[0].partitions[0].error_code == code


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ({"generation_id_or_member_epoch": 3, "member_id": "m"}, ErrorCode.ILLEGAL_GENERATION),
        ({"generation_id_or_member_epoch": -1, "member_id": ""}, ErrorCode.NONE),
    ],
)
async def test_a_group_takes_offsets_only_of_its_generation(see, topic, producer, who, code):
    """KIP-447: so a consumer that was replaced is fenced, whatever its producer's id."""
    response = await see(committing(producer, 7, topic, **who))
    assert response.topics[0].partitions[0].error_code == code


async def test_offsets_of_topics_that_are_not_there_are_refused_one_by_one(see, topic, producer):
    request = committing(producer, 7, topic)
    request.topics[0].partitions.append(
        TxnOffsetCommitRequestPartition(partition_index=9, committed_offset=1, committed_metadata=None)
    )
    response = await see(request, 5)
    answered = {each.partition_index: each.error_code for each in response.topics[0].partitions}
    assert answered == {0: ErrorCode.NONE, 9: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}


async def test_a_topic_that_is_deleted_holds_no_transaction_up(see, asker, topic, producer):
    other = await asker.create_topic("other")
    await see(adding(producer, 0), 3)
    await see(adding(producer, 0, topic="other"), 3)
    await asker.broker.catalog.delete_topic(other.topic_id)
    await see(ending(producer))
    assert await until_complete(see) == "CompleteCommit"


@pytest.mark.parametrize("version", [1, 2])
async def test_an_administrator_ends_a_hanging_transaction(see, append, broker, topic, version):
    """KIP-664: one in the log of which no coordinator knows."""
    append(topic, 2, producer_id=77, producer_epoch=0, base_sequence=0, transactional=True)
    log = broker.partition(topic, 0)
    assert (log.last_stable, log.high_watermark) == (0, 2)
    marker = WritableTxnMarker(
        producer_id=77,
        producer_epoch=0,
        transaction_result=False,
        topics=[WritableTxnMarkerTopic(name="rides", partition_indexes=[0, 9])],
        coordinator_epoch=0,
    )
    response = await see(WriteTxnMarkersRequest(markers=[marker]), version)
    answered = [each.error_code for each in response.markers[0].topics[0].partitions]
    assert answered == [ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert (log.last_stable, log.high_watermark) == (3, 3)


async def test_a_commit_reaches_what_was_written_after_an_administrators_marker(see, append, broker, topic, producer):
    """That marker named a later coordinator: the real one is not fenced by it, or the rest would hang for ever."""
    producer_id, epoch = producer
    await see(adding(producer, 0), 3)
    append(topic, 2, producer_id=producer_id, producer_epoch=epoch, base_sequence=0, transactional=True)
    marker = WritableTxnMarker(
        producer_id=producer_id,
        producer_epoch=epoch,
        transaction_result=False,
        topics=[WritableTxnMarkerTopic(name="rides", partition_indexes=[0])],
        coordinator_epoch=100,
    )
    await see(WriteTxnMarkersRequest(markers=[marker]), 1)
    append(topic, 2, producer_id=producer_id, producer_epoch=epoch, base_sequence=2, transactional=True)
    await see(ending(producer), 3)
    assert await until_complete(see) == "CompleteCommit"
    log = broker.partition(topic, 0)
    assert (log.last_stable, log.high_watermark) == (6, 6)


async def test_deleting_a_group_takes_the_offsets_that_wait_with_it(see, topic, producer):
    """Nothing but such offsets makes a group, too."""
    await see(committing(producer, 7, topic))
    deleted = await see(DeleteGroupsRequest(groups_names=["g"]))
    assert [each.error_code for each in deleted.results] == [ErrorCode.NONE]
    assert await fetched(see, stable=True) == (ErrorCode.NONE, -1)
    await see(ending(producer))
    await until_complete(see)
    assert await fetched(see, stable=True) == (ErrorCode.NONE, -1)


async def test_deleting_offsets_takes_those_that_wait_with_them(see, topic, producer):
    await see(committing(producer, 7, topic))
    partition = OffsetDeleteRequestPartition(partition_index=0)
    request = OffsetDeleteRequest(group_id="g", topics=[OffsetDeleteRequestTopic(name="rides", partitions=[partition])])
    assert (await see(request)).error_code == ErrorCode.NONE
    await see(ending(producer))
    await until_complete(see)
    assert await fetched(see, stable=True) == (ErrorCode.NONE, -1)


async def test_transactions_are_described(see, topic, producer, clock):
    await see(adding(producer, 0, 2), 3)
    request = DescribeTransactionsRequest(transactional_ids=["tx", "nobody", ""])
    found, unknown, empty = (await see(request)).transaction_states
    assert (found.transaction_state, found.transaction_timeout_ms) == ("Ongoing", 60_000)
    assert (found.producer_id, found.producer_epoch) == producer
    assert found.transaction_start_time_ms == clock.now_ms
    assert [(each.topic, each.partitions) for each in found.topics] == [("rides", [0, 2])]
    assert unknown.error_code == ErrorCode.TRANSACTIONAL_ID_NOT_FOUND
    assert empty.error_code == ErrorCode.INVALID_REQUEST


async def test_transactions_are_listed_and_filtered(see, topic, producer, clock):
    """KIP-664, KIP-994, KIP-1152."""
    await see(InitProducerIdRequest(transactional_id="other", transaction_timeout_ms=1))
    await see(adding(producer, 0), 3)
    clock.advance(10)

    async def listed(**filters: Any) -> list[str]:
        every: dict[str, Any] = {"state_filters": [], "producer_id_filters": []}
        response = await see(ListTransactionsRequest(**{**every, **filters}))
        assert response.error_code == ErrorCode.NONE
        return sorted(each.transactional_id for each in response.transaction_states)

    assert await listed() == ["other", "tx"]
    assert await listed(state_filters=["Ongoing"]) == ["tx"]
    assert await listed(state_filters=["Empty", "Ongoing"]) == ["other", "tx"]
    assert await listed(producer_id_filters=[producer[0]]) == ["tx"]
    assert await listed(transactional_id_pattern="t.*") == ["tx"]
    assert await listed(state_filters=["Ongoing"], duration_filter=10) == []
    response = await see(ListTransactionsRequest(state_filters=["Nonsense"], producer_id_filters=[]))
    assert (response.unknown_state_filters, response.transaction_states) == (["Nonsense"], [])


async def test_a_pattern_that_is_none_is_refused(see):
    request = ListTransactionsRequest(state_filters=[], producer_id_filters=[], transactional_id_pattern="(")
    assert (await see(request)).error_code == ErrorCode.INVALID_REGULAR_EXPRESSION


async def test_a_request_without_a_transactional_id_is_refused(see, producer):
    request = EndTxnRequest(transactional_id="", producer_id=1, producer_epoch=0, committed=True)
    assert (await see(request)).error_code == ErrorCode.INVALID_REQUEST
    offsets = AddOffsetsToTxnRequest(transactional_id="", producer_id=1, producer_epoch=0, group_id="g")
    assert (await see(offsets)).error_code == ErrorCode.INVALID_REQUEST
