"""WriteTxnMarkers, by which an administrator ends in a partition what no coordinator ends (KIP-664)."""

from __future__ import annotations

from collections.abc import Sequence

from differential.calls import LATEST, fetch, list_offsets
from differential.scenario import scenario
from differential.stage import Stage, Topic
from differential.writers import PRODUCE_V1, Writer, new_writer
from drave.wire.api import ApiKey
from drave.wire.messages.k27_write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)
from drave.wire.messages.k61_describe_producers import DescribeProducersRequest, TopicRequest

MARKERS = ApiKey.WRITE_TXN_MARKERS
READ_COMMITTED = 1
VERSION_OF_TRANSACTIONS_SINCE = 2


def _marker(
    writer: Writer,
    *places: tuple[str, Sequence[int]],
    commit: bool = False,
    epochs_on: int = 0,
    coordinator_epoch: int = 0,
    transaction_version: int = 0,
) -> WritableTxnMarker:
    return WritableTxnMarker(
        producer_id=writer.id,
        producer_epoch=writer.epoch + epochs_on,
        transaction_result=commit,
        topics=[WritableTxnMarkerTopic(name=name, partition_indexes=list(indexes)) for name, indexes in places],
        coordinator_epoch=coordinator_epoch,
        transaction_version=transaction_version,
    )


def _markers(*markers: WritableTxnMarker) -> WriteTxnMarkersRequest:
    return WriteTxnMarkersRequest(markers=list(markers))


def _writing(stage: Stage, topic: Topic) -> Writer:
    """A producer with a transaction of two records."""
    writer = new_writer(stage)
    writer.add(topic)
    stage.quietly(writer.produce(topic, "a", "b"), PRODUCE_V1)
    return writer


def _look(stage: Stage, topic: Topic) -> None:
    """What who reads only what is committed sees, and what is known of the producer."""
    stage.ask(list_offsets(topic, LATEST, isolation=READ_COMMITTED))
    stage.ask(fetch(topic, 0, isolation_level=READ_COMMITTED), mine=True)
    asked = [TopicRequest(name=topic.name, partition_indexes=[0])]
    stage.ask(DescribeProducersRequest(topics=asked), mine=True)


@scenario(MARKERS, commit=(True, False))
def an_open_transaction_is_ended(stage: Stage, version: int, commit: bool) -> None:
    topic = stage.topic()
    writer = _writing(stage, topic)
    stage.ask(_markers(_marker(writer, (topic.name, [0]), commit=commit)), version)
    _look(stage, topic)


@scenario(MARKERS, epochs_on=(-1, 0, 1, 2))
def an_epoch_of_the_producer(stage: Stage, version: int, epochs_on: int) -> None:
    """One that it has had, has, and does not have yet."""
    topic = stage.topic()
    new_writer(stage)
    writer = _writing(stage, topic)
    stage.ask(_markers(_marker(writer, (topic.name, [0]), epochs_on=epochs_on)), version)
    _look(stage, topic)


@scenario(MARKERS, epochs=((0, 0), (5, 5), (5, 6), (5, 4), (-1, 0), (0, -1)))
def two_markers_of_coordinators(stage: Stage, version: int, epochs: tuple[int, int]) -> None:
    """The second comes from the same one, a later one, and an earlier one."""
    topic = stage.topic()
    writer = _writing(stage, topic)
    for each in epochs:
        stage.ask(_markers(_marker(writer, (topic.name, [0]), coordinator_epoch=each)), version)
    _look(stage, topic)


@scenario(MARKERS, since=VERSION_OF_TRANSACTIONS_SINCE, transaction_version=(0, 1, 2), epochs_on=(0, 1))
def a_version_of_transactions(stage: Stage, version: int, transaction_version: int, epochs_on: int) -> None:
    """KIP-1228: with version 2 the marker's epoch is above that of the transaction."""
    topic = stage.topic()
    writer = _writing(stage, topic)
    place = (topic.name, [0])
    stage.ask(_markers(_marker(writer, place, epochs_on=epochs_on, transaction_version=transaction_version)), version)
    _look(stage, topic)


@scenario(MARKERS)
def where_there_is_no_transaction(stage: Stage, version: int) -> None:
    """A partition in which the producer has written nothing; one that is not there; a topic that is not."""
    topic, other = stage.topic(), stage.topic("b")
    writer = _writing(stage, topic)
    places = ((other.name, [0]), (topic.name, [9]), (stage.name("nowhere"), [0, 1]), ("a b", [0]))
    stage.ask(_markers(_marker(writer, *places)), version)
    stage.ask(_markers(_marker(writer, (topic.name, []))), version)
    stage.ask(_markers(_marker(writer, (topic.name, []), (other.name, [0]))), version)
    stage.ask(_markers(), version)
    _look(stage, other)
    _look(stage, topic)


@scenario(MARKERS)
def two_producers_in_one_request(stage: Stage, version: int) -> None:
    topic = stage.topic()
    first = _writing(stage, topic)
    second = new_writer(stage, "other")
    second.add(topic)
    stage.quietly(second.produce(topic, "c"), PRODUCE_V1)
    place = (topic.name, [0])
    stage.ask(_markers(_marker(first, place), _marker(second, place, commit=True)), version)
    _look(stage, topic)
