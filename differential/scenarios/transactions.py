"""Transactions: what belongs to one, what is refused, and what who reads only what is committed is told."""

from __future__ import annotations

from typing import Any

from differential.calls import EARLIEST, LATEST, batch, delete_records, fetch, list_offsets, produce
from differential.scenario import scenario
from differential.stage import Stage, Topic
from differential.writers import END_V1, END_V2, PRODUCE_V1, new_writer, offset_of
from drave.model.errors import ErrorCode
from drave.wire.api import ApiKey
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest
from drave.wire.messages.k66_list_transactions import ListTransactionsRequest

READ_COMMITTED = 1
PRODUCES = (3, 9, 10, 11, 12, 13)


def _committed(topic: Topic) -> Any:
    return list_offsets(topic, LATEST, isolation=READ_COMMITTED)


@scenario(version=PRODUCES)
def a_partition_that_was_not_added(stage: Stage, version: int) -> None:
    """Refused, until a batch adds its partition itself."""
    topic, writer = stage.topic(), new_writer(stage)
    stage.ask(writer.produce(topic, "a"), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=PRODUCES)
def a_partition_of_the_running_transaction_that_was_not_added(stage: Stage, version: int) -> None:
    topic, other, writer = stage.topic(), stage.topic("b"), new_writer(stage)
    writer.add(topic)
    stage.ask(writer.produce(topic, "a"), version)
    stage.ask(produce(other, writer.batch("a", sequence=0), transactional_id=writer.transactional_id), version)
    stage.ask(list_offsets(other, LATEST))


@scenario(version=PRODUCES)
def a_batch_of_a_transaction_that_no_request_names(stage: Stage, version: int) -> None:
    topic, writer = stage.topic(), new_writer(stage)
    writer.add(topic)
    stage.ask(produce(topic, writer.batch("a")), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=PRODUCES)
def a_batch_outside_of_the_open_transaction(stage: Stage, version: int) -> None:
    topic, writer = stage.topic(), new_writer(stage)
    writer.add(topic)
    stage.ask(writer.produce(topic, "a"), version)
    stage.ask(produce(topic, writer.batch("b", transactional=False)), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=PRODUCES, sequence=(0, 1, 5))
def the_first_sequence_of_a_transaction(stage: Stage, version: int, sequence: int) -> None:
    topic, writer = stage.topic(), new_writer(stage)
    writer.add(topic)
    stage.ask(writer.produce(topic, "a", sequence=sequence), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=PRODUCES, commit=(True, False))
def a_batch_after_the_end(stage: Stage, version: int, commit: bool) -> None:
    topic, writer = stage.topic(), new_writer(stage)
    writer.add(topic)
    stage.ask(writer.produce(topic, "a"), version)
    writer.end(topic, commit=commit)
    if version < PRODUCE_V1 + 1:
        stage.ask(writer.produce(topic, "b"), version)
    stage.ask(fetch(topic, 0, isolation_level=READ_COMMITTED), mine=True)


@scenario(version=PRODUCES)
def another_producers_id_and_epochs(stage: Stage, version: int) -> None:
    topic, writer = stage.topic(), new_writer(stage)
    writer.add(topic)
    for producer_id, epoch in ((writer.id + 1_000_000, 0), (writer.id, writer.epoch + 1)):
        data = batch("a", producer=(producer_id, epoch, 0), transactional=True)
        stage.ask(produce(topic, data, transactional_id=writer.transactional_id), version)
    stage.ask(produce(topic, writer.batch("a"), transactional_id=stage.name("nobody")), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=PRODUCES)
def a_fenced_producer(stage: Stage, version: int) -> None:
    topic, first = stage.topic(), new_writer(stage)
    second = new_writer(stage)
    second.add(topic)
    stage.ask(first.produce(topic, "a"), version)
    stage.ask(second.produce(topic, "b"), version)
    stage.ask(first.produce(topic, "c"), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=PRODUCES)
def a_duplicate_within_a_transaction(stage: Stage, version: int) -> None:
    topic, writer = stage.topic(), new_writer(stage)
    writer.add(topic)
    for sequence in (0, 1, 0, 1, 3):
        stage.ask(writer.produce(topic, "a", sequence=sequence), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(ApiKey.FETCH)
def what_is_committed_and_what_is_not(stage: Stage, version: int) -> None:
    """One aborted, one committed, one open: markers are seen, and the open one holds the rest back."""
    topic = stage.topic()
    writers = [new_writer(stage, word) for word in "abc"]
    for writer in writers:
        writer.write(topic, "x", "y")
    end = stage.quietly
    end(writers[0].ending(commit=False), END_V1)
    end(writers[1].ending(commit=True), END_V1)
    stage.wait(list_offsets(topic, LATEST), lambda answer: offset_of(answer) == 8)
    for offset in (0, 3, 4, 6):
        stage.ask(fetch(topic, offset, isolation_level=READ_COMMITTED), version)
    stage.ask(_committed(topic))
    writers[2].end(topic, commit=False)
    for offset in (3, 5, 8, 9):
        data = stage.ask(fetch(topic, offset, isolation_level=READ_COMMITTED, min_bytes=1), version, mine=True)
        assert data is not None


@scenario(commit=(True, False), version=(END_V1, END_V2))
def one_transaction_after_the_other(stage: Stage, commit: bool, version: int) -> None:
    topic, writer = stage.topic(), new_writer(stage)
    for number in range(3):
        if version == END_V1:
            writer.add(topic)
        writer.write(topic, f"{number}")
        writer.end(topic, commit=commit, version=version)
    stage.ask(list_offsets(topic, LATEST))
    stage.ask(_committed(topic))
    stage.ask(list_offsets(topic, EARLIEST, isolation=READ_COMMITTED))


@scenario(ApiKey.END_TXN)
def to_end_it_twice(stage: Stage, version: int) -> None:
    topic, writer = stage.topic(), new_writer(stage)
    writer.write(topic, "a")
    stage.ask(writer.ending(commit=True), version)
    stage.wait(_committed(topic), lambda answer: offset_of(answer) == 2)
    stage.wait(
        writer.ending(commit=True), lambda answer: answer.error_code != ErrorCode.CONCURRENT_TRANSACTIONS, version
    )
    stage.ask(writer.ending(commit=True), version)
    stage.ask(writer.ending(commit=False), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(ApiKey.END_TXN, commit=(True, False))
def to_end_what_never_began(stage: Stage, version: int, commit: bool) -> None:
    stage.ask(new_writer(stage).ending(commit=commit), version)


@scenario(ApiKey.END_TXN, commit=(True, False))
def to_end_what_the_next_producer_of_the_id_has_aborted(stage: Stage, version: int, commit: bool) -> None:
    """The next one asks once, which aborts, and has not come again for its own epoch."""
    topic, writer = stage.topic(), new_writer(stage)
    writer.write(topic, "a")
    stage.ask(InitProducerIdRequest(transactional_id=writer.transactional_id, transaction_timeout_ms=60_000), 4)
    stage.wait(_committed(topic), lambda answer: offset_of(answer) == 2)
    request = writer.ending(commit=commit)
    stage.wait(request, lambda answer: answer.error_code != ErrorCode.CONCURRENT_TRANSACTIONS, version)
    stage.ask(request, version)
    stage.ask(list_offsets(topic, LATEST))


@scenario()
def records_deleted_under_an_open_transaction(stage: Stage) -> None:
    topic, writer = stage.topic(), new_writer(stage)
    writer.write(topic, "a", "b")
    stage.quietly(produce(topic, batch("c")))
    stage.ask(delete_records(topic, {0: 1}))
    stage.ask(_committed(topic))
    stage.ask(delete_records(topic, {0: -1}))
    stage.ask(_committed(topic))
    writer.end(topic, commit=False)
    stage.ask(_committed(topic))


@scenario(pattern=("one", ".*n.*e.*", "(o(ne|w)?)+", "(?i)ONE", "nothing", "(a", "(?=a)a", r"(a)\1", "a{1001}"))
def transactions_by_a_pattern(stage: Stage, pattern: str) -> None:
    for name in ("one", "two"):
        new_writer(stage, name)
    request = ListTransactionsRequest(
        state_filters=[], producer_id_filters=[], transactional_id_pattern=stage.name(pattern)
    )
    stage.ask(request, 2)
