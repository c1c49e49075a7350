"""Produce in a transaction: the first batch in a partition waits for its coordinator (KIP-890)."""

from __future__ import annotations

from typing import Any

import pytest

from drave.broker.context import Pending
from drave.model.errors import ErrorCode, Refused
from drave.records import ControlKind
from tests.broker.still import NOW_MS, Call, StillBroker, batch_of, produce_request

PRODUCER = 7
BY_NAME = 12
ASKS_ONLY = 10


class Coordinator:
    """Says what the test has it say, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answers: dict[int, ErrorCode | Pending] = {}
        """By partition; where there is none, the partition is in the transaction."""

    def check(
        self, transactional_id: str, producer_id: int, epoch: int, topic: str, partition: int, *, adds: bool
    ) -> Pending | None:
        self.asked.append((transactional_id, producer_id, epoch, topic, partition, adds))
        answer = self.answers.get(partition)
        if isinstance(answer, ErrorCode):
            raise Refused(answer, "as the test has it")
        return answer


@pytest.fixture
def coordinator(still: StillBroker) -> Coordinator:
    coordinator = Coordinator()
    still.broker.transactions = coordinator  # type: ignore[assignment]  # all that Produce knows of it
    return coordinator


def sent(sequence: int = 0, count: int = 1, *, epoch: int = 0, **options: Any) -> bytes:
    given = {"transactional": True, "producer_id": PRODUCER, "producer_epoch": epoch, "base_sequence": sequence}
    return batch_of(*[b"v"] * count, **(given | options))


def send(
    still: StillBroker,
    batches: dict[int, bytes | None],
    version: int = BY_NAME,
    *,
    acks: int = -1,
    txn: str | None = "t",
) -> Call:
    request = produce_request("rides", batches, acks=acks)
    request.transactional_id = txn
    return still.send(request, version)


def codes(call: Call) -> list[int]:
    return [each.error_code for each in call.response.responses[0].partition_responses]


def end(still: StillBroker, kind: ControlKind = ControlKind.COMMIT, *, epoch: int = 0, version: int = 1) -> None:
    (topic,) = still.broker.catalog.topics().values()
    still.log(topic).append_marker(kind, PRODUCER, epoch, 0, now_ms=NOW_MS, transaction_version=version)
    still.commit()


@pytest.mark.parametrize(("version", "adds"), [(3, False), (ASKS_ONLY, False), (11, False), (BY_NAME, True)])
def test_the_coordinator_is_asked_once_for_each_partition_and_transaction(
    still: StillBroker, coordinator: Coordinator, version: int, adds: bool
) -> None:
    """From version 12 on, to ask is to add."""
    topic = still.create("rides", partitions=2)
    send(still, {0: sent(), 1: sent()}, version)
    send(still, {0: sent(1), 1: sent(1)}, version)
    still.commit()
    assert coordinator.asked == [("t", PRODUCER, 0, "rides", index, adds) for index in (0, 1)]
    assert [still.log(topic, index).end for index in (0, 1)] == [2, 2]


def test_once_its_transaction_was_ended_a_batch_is_asked_for_again(
    still: StillBroker, coordinator: Coordinator
) -> None:
    """A late one would open a transaction that nobody ends."""
    topic = still.create("rides")
    send(still, {0: sent()}, ASKS_ONLY)
    end(still)
    coordinator.answers[0] = ErrorCode.INVALID_TXN_STATE
    late = send(still, {0: sent(1)}, ASKS_ONLY)
    assert codes(late) == [ErrorCode.INVALID_TXN_STATE]
    assert still.log(topic).last_stable == still.log(topic).end == 2


def test_who_is_in_no_transaction_asks_nobody(still: StillBroker, coordinator: Coordinator) -> None:
    still.create("rides")
    call = send(still, {0: batch_of(producer_id=1, producer_epoch=0, base_sequence=0)}, txn=None)
    still.commit()
    assert (codes(call), coordinator.asked) == ([0], [])


def test_a_batch_waits_while_its_partition_is_being_added(still: StillBroker, coordinator: Coordinator) -> None:
    """What lies in the request's buffer does not outlive it; what waits is a copy."""
    topic = still.create("rides", partitions=2)
    added = coordinator.answers[0] = Pending()
    call = send(still, {0: sent(), 1: sent(count=2)})
    still.commit()
    assert not call.is_answered
    assert (still.log(topic, 0).end, still.log(topic, 1).end) == (0, 2), "its neighbour does not wait"
    del coordinator.answers[0]
    added.complete(ErrorCode.NONE)
    assert not call.is_answered, "it is not durable yet"
    still.commit()
    assert codes(call) == [0, 0]
    assert [record.value for record in still.read(topic)] == [b"v"]


def test_batches_that_wait_keep_their_order(still: StillBroker, coordinator: Coordinator) -> None:
    topic = still.create("rides")
    coordinator.answers[0] = first = Pending()
    calls = [send(still, {0: sent()})]
    coordinator.answers[0] = second = Pending()
    calls.append(send(still, {0: sent(1)}))
    del coordinator.answers[0]
    first.complete(ErrorCode.NONE)
    second.complete(ErrorCode.NONE)
    still.commit()
    assert [codes(call) for call in calls] == [[0], [0]]
    assert still.log(topic).end == 2


def test_none_overtakes_the_one_that_asks_however_its_coordinator_answers(
    still: StillBroker, coordinator: Coordinator
) -> None:
    """The first one asks twice, for another partition was added meanwhile; the others do not go before it is through.

    Its producer has many requests under way, and reads their answers in order: one that was refused for having come
    too early looks to it like a record that was lost.
    """
    topic = still.create("rides")
    coordinator.answers[0] = first = Pending()
    calls = [send(still, {0: sent()})]
    coordinator.answers[0] = again = Pending()
    calls += [send(still, {0: sent(sequence)}) for sequence in (1, 2)]
    first.complete(ErrorCode.NONE)
    coordinator.answers = {}
    calls.append(send(still, {0: sent(3)}))
    assert still.log(topic).end == 0
    again.complete(ErrorCode.NONE)
    calls.append(send(still, {0: sent(4)}))
    still.commit()
    assert [codes(call) for call in calls] == [[0]] * 5
    assert len(coordinator.asked) == 3, "the first one alone has asked: what is open in the log asks no more"


def test_what_stands_in_line_behind_a_refusal_asks_for_itself(still: StillBroker, coordinator: Coordinator) -> None:
    """Here the next one asks again, and is refused with all behind it: none of them is the first of a transaction."""
    topic = still.create("rides")
    coordinator.answers[0] = first = Pending()
    calls = [send(still, {0: sent(sequence)}) for sequence in (0, 1, 2)]
    coordinator.answers[0] = second = Pending()
    first.complete(ErrorCode.NOT_COORDINATOR)
    assert [call.is_answered for call in calls] == [True, False, False]
    coordinator.answers = {}
    second.complete(ErrorCode.NONE)
    out_of_order = [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER]
    assert [codes(call) for call in calls] == [[ErrorCode.NOT_ENOUGH_REPLICAS], out_of_order, out_of_order]
    calls = [send(still, {0: sent(sequence)}) for sequence in (0, 1, 2)]
    still.commit()
    assert [codes(call) for call in calls] == [[0]] * 3
    assert still.log(topic).end == 3
    assert still.broker.admissions == {}


def test_another_epoch_does_not_stand_in_line(still: StillBroker, coordinator: Coordinator) -> None:
    """The next life of a producer waits for nothing that an earlier one has left."""
    still.create("rides")
    coordinator.answers[0] = Pending()
    send(still, {0: sent()})
    coordinator.answers = {}
    call = send(still, {0: sent(epoch=1)})
    still.commit()
    assert codes(call) == [0]


def test_what_was_aborted_while_a_batch_waited_does_not_take_it(still: StillBroker, coordinator: Coordinator) -> None:
    topic = still.create("rides")
    coordinator.answers[0] = added = Pending()
    call = send(still, {0: sent()})
    coordinator.answers[0] = ErrorCode.PRODUCER_FENCED
    added.complete(ErrorCode.NONE)
    assert codes(call) == [ErrorCode.INVALID_PRODUCER_EPOCH]
    assert still.log(topic).end == 0


def test_a_topic_that_is_deleted_meanwhile_takes_nothing(still: StillBroker, coordinator: Coordinator) -> None:
    topic = still.create("rides")
    coordinator.answers[0] = added = Pending()
    call = send(still, {0: sent()})
    still.delete(topic)
    added.complete(ErrorCode.NONE)
    assert codes(call) == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]


SAID = {
    ErrorCode.INVALID_TXN_STATE: {3: ErrorCode.INVALID_TXN_STATE},
    ErrorCode.INVALID_PRODUCER_ID_MAPPING: {3: ErrorCode.INVALID_PRODUCER_ID_MAPPING},
    ErrorCode.PRODUCER_FENCED: {3: ErrorCode.INVALID_PRODUCER_EPOCH},
    ErrorCode.TRANSACTION_ABORTABLE: {10: ErrorCode.INVALID_TXN_STATE, 11: ErrorCode.TRANSACTION_ABORTABLE},
    ErrorCode.CONCURRENT_TRANSACTIONS: {11: ErrorCode.NOT_ENOUGH_REPLICAS, 12: ErrorCode.CONCURRENT_TRANSACTIONS},
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS: {12: ErrorCode.NOT_ENOUGH_REPLICAS},
    ErrorCode.NOT_COORDINATOR: {12: ErrorCode.NOT_ENOUGH_REPLICAS},
}
"""What the coordinator says, and what a producer is told from which version on."""


@pytest.mark.parametrize("said", SAID, ids=lambda code: code.name)
@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
def test_a_refusal_comes_in_words_that_the_producer_knows(
    still: StillBroker, coordinator: Coordinator, said: ErrorCode, later: bool
) -> None:
    topic = still.create("rides")
    for version, told in SAID[said].items():
        answer = coordinator.answers[0] = Pending() if later else said
        call = send(still, {0: sent()}, version)
        if isinstance(answer, Pending):
            answer.complete(said)
        assert codes(call) == [told]
        assert still.log(topic).end == 0


def test_a_transaction_that_the_request_does_not_name_is_refused(still: StillBroker, coordinator: Coordinator) -> None:
    still.create("rides")
    assert codes(send(still, {0: sent()}, txn=None)) == [ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]
    assert coordinator.asked == []


def test_from_version_12_on_a_partition_begins_at_sequence_0(still: StillBroker, coordinator: Coordinator) -> None:
    """Each of these transactions has an epoch of its own: what begins later lacks what was sent before."""
    still.create("rides")
    assert codes(send(still, {0: sent(5)})) == [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER]
    send(still, {0: sent()})
    end(still, epoch=1, version=2)
    assert codes(send(still, {0: sent(1, epoch=1)})) == [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER]
    assert codes(send(still, {0: sent(1)})) == [ErrorCode.INVALID_PRODUCER_EPOCH], "it comes late"
    call = send(still, {0: sent(epoch=1)})
    still.commit()
    assert codes(call) == [0]


@pytest.mark.parametrize("version", [ASKS_ONLY, BY_NAME])
def test_a_batch_that_was_refused_for_now_is_not_overtaken(
    still: StillBroker, coordinator: Coordinator, version: int
) -> None:
    """Its producer sends it again; had the one after it been taken, it would be out of order for ever."""
    still.create("rides")
    coordinator.answers[0] = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    assert codes(send(still, {0: sent()}, version)) == [ErrorCode.NOT_ENOUGH_REPLICAS]
    coordinator.answers = {}
    assert codes(send(still, {0: sent(1)}, version)) == [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER]
    calls = [send(still, {0: sent(sequence)}, version) for sequence in (0, 1)]
    still.commit()
    assert [codes(call) for call in calls] == [[0], [0]]


def test_who_awaits_no_answer_is_hung_up_on_when_it_is_refused_later(
    still: StillBroker, coordinator: Coordinator
) -> None:
    topic = still.create("rides")
    coordinator.answers[0] = added = Pending()
    call = send(still, {0: sent()}, acks=0)
    assert call.connection.closed is None
    added.complete(ErrorCode.PRODUCER_FENCED)
    assert call.connection.closed is not None
    coordinator.answers = {}
    send(still, {0: sent()}, acks=0)
    still.commit()
    assert still.log(topic).end == 1


def test_a_batch_outside_of_the_open_transaction_is_refused(still: StillBroker, coordinator: Coordinator) -> None:
    still.create("rides")
    send(still, {0: sent()})
    still.commit()
    assert codes(send(still, {0: sent(1, transactional=False)}, txn=None)) == [ErrorCode.INVALID_TXN_STATE]
