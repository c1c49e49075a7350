"""InitProducerId and idempotent producers: sequences, epochs, duplicates, and what was forgotten."""

from __future__ import annotations

from differential.calls import LATEST, batch, delete_records, fetch, list_offsets, produce
from differential.scenario import scenario
from differential.stage import Stage
from drave.wire.api import ApiKey
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest

INIT_PRODUCER_ID = ApiKey.INIT_PRODUCER_ID
VERSIONS = (3, 5, 8, 12, 13)
"""Of Produce: a few of those where an answer has another form."""

INT_MAX = 2**31 - 1


def _producer(stage: Stage) -> int:
    answer = stage.ask(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000), 4)
    return int(answer.producer_id)


@scenario(INIT_PRODUCER_ID)
def a_new_id_each_time(stage: Stage, version: int) -> None:
    for _ in range(2):
        stage.ask(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000), version)


@scenario(INIT_PRODUCER_ID, timeout_ms=(0, -1, INT_MAX))
def the_timeout_matters_to_transactions_only(stage: Stage, version: int, timeout_ms: int) -> None:
    stage.ask(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=timeout_ms), version)


@scenario(INIT_PRODUCER_ID, since=3, producer=((5, -1), (-1, 5), (5, 5), (-2, 0), (5, 32767), (5, -2)))
def with_an_id_and_an_epoch(stage: Stage, version: int, producer: tuple[int, int]) -> None:
    producer_id, epoch = producer
    request = InitProducerIdRequest(
        transactional_id=None, transaction_timeout_ms=60_000, producer_id=producer_id, producer_epoch=epoch
    )
    stage.ask(request, version)


@scenario(INIT_PRODUCER_ID)
def an_empty_transactional_id(stage: Stage, version: int) -> None:
    stage.ask(InitProducerIdRequest(transactional_id="", transaction_timeout_ms=60_000), version)


@scenario(version=VERSIONS)
def sequences_in_order(stage: Stage, version: int) -> None:
    topic, producer = stage.topic(), _producer(stage)
    stage.ask(produce(topic, batch("a", "b", producer=(producer, 0, 0))), version)
    stage.ask(produce(topic, batch("c", producer=(producer, 0, 2))), version)
    stage.ask(fetch(topic, 0))


@scenario(version=VERSIONS, sequence=(1, 3, 4, 100, INT_MAX))
def a_gap_in_the_sequence(stage: Stage, version: int, sequence: int) -> None:
    topic, producer = stage.topic(), _producer(stage)
    stage.ask(produce(topic, batch("a", "b", producer=(producer, 0, 0))), version)
    stage.ask(produce(topic, batch("c", producer=(producer, 0, sequence))), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=VERSIONS, sequence=(0, 1, 7, INT_MAX))
def the_first_sequence_of_a_producer(stage: Stage, version: int, sequence: int) -> None:
    topic, producer = stage.topic(), _producer(stage)
    stage.ask(produce(topic, batch("a", producer=(producer, 0, sequence))), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=VERSIONS, back=range(1, 8))
def a_duplicate_of_one_of_the_last_batches(stage: Stage, version: int, back: int) -> None:
    """Five batches are remembered; what is older is out of order."""
    topic, producer = stage.topic(), _producer(stage)
    for number in range(7):
        stage.quietly(produce(topic, batch("x", "y", producer=(producer, 0, 2 * number))))
    stage.ask(produce(topic, batch("x", "y", producer=(producer, 0, 2 * (7 - back)))), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=VERSIONS)
def a_duplicate_of_another_size(stage: Stage, version: int) -> None:
    topic, producer = stage.topic(), _producer(stage)
    stage.quietly(produce(topic, batch("a", "b", producer=(producer, 0, 0))))
    stage.ask(produce(topic, batch("a", producer=(producer, 0, 0))), version)
    stage.ask(produce(topic, batch("a", producer=(producer, 0, 1))), version)
    stage.ask(produce(topic, batch("a", "b", "c", producer=(producer, 0, 0))), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=VERSIONS, sequence=(0, 1, 3))
def a_new_epoch_begins_at_0(stage: Stage, version: int, sequence: int) -> None:
    topic, producer = stage.topic(), _producer(stage)
    stage.quietly(produce(topic, batch("a", "b", producer=(producer, 0, 0))))
    stage.ask(produce(topic, batch("c", producer=(producer, 1, sequence))), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=VERSIONS)
def an_old_epoch_is_fenced(stage: Stage, version: int) -> None:
    topic, producer = stage.topic(), _producer(stage)
    stage.quietly(produce(topic, batch("a", producer=(producer, 3, 0))))
    stage.ask(produce(topic, batch("b", producer=(producer, 2, 1))), version)
    stage.ask(produce(topic, batch("b", producer=(producer, 2, 0))), version)
    stage.ask(produce(topic, batch("b", producer=(producer, 3, 1))), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=VERSIONS, sequence=(INT_MAX, INT_MAX - 1))
def sequences_go_round(stage: Stage, version: int, sequence: int) -> None:
    topic, producer = stage.topic(), _producer(stage)
    stage.ask(produce(topic, batch("a", "b", producer=(producer, 0, sequence))), version)
    stage.ask(produce(topic, batch("c", producer=(producer, 0, (sequence + 2) % 2**31))), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=VERSIONS)
def each_partition_has_its_own_sequence(stage: Stage, version: int) -> None:
    topic, producer = stage.topic(partitions=2), _producer(stage)
    data = batch("a", producer=(producer, 0, 0))
    stage.ask(produce(topic, {0: data, 1: data}), version)
    stage.ask(
        produce(topic, {0: batch("b", producer=(producer, 0, 1)), 1: batch("b", producer=(producer, 0, 2))}), version
    )


@scenario(version=VERSIONS, sequence=(0, 1, 5))
def after_its_records_were_deleted(stage: Stage, version: int, sequence: int) -> None:
    topic, producer = stage.topic(), _producer(stage)
    stage.quietly(produce(topic, batch("a", producer=(producer, 0, 0))))
    stage.quietly(delete_records(topic, {0: -1}))
    stage.ask(produce(topic, batch("b", producer=(producer, 0, sequence))), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=VERSIONS)
def two_producers_do_not_meet(stage: Stage, version: int) -> None:
    topic, first, second = stage.topic(), _producer(stage), _producer(stage)
    stage.ask(produce(topic, batch("a", producer=(first, 0, 0))), version)
    stage.ask(produce(topic, batch("b", producer=(second, 0, 0))), version)
    stage.ask(produce(topic, batch("c", producer=(first, 0, 1))), version)
    stage.ask(fetch(topic, 0))


@scenario(version=VERSIONS, acks=(0, 1))
def duplicates_with_less_acks(stage: Stage, version: int, acks: int) -> None:
    topic, producer = stage.topic(), _producer(stage)
    data = batch("a", producer=(producer, 0, 0))
    connection = stage.connect()
    for _ in range(2):
        if acks:
            stage.ask(produce(topic, data, acks=acks), version, on=connection)
        else:
            connection.send(produce(topic, data, acks=0), version)
    stage.ask(produce(topic, batch("b", producer=(producer, 0, 1))), version, on=connection)
    stage.ask(list_offsets(topic, LATEST))
