"""The markers of decided transactions: one in every partition that a transaction wrote to.

    decided ──▶ a marker appended to each log ──all durable──▶ finished
                   └ refused (the disk is full, groups are being loaded): once more, a moment later

Appending a marker twice does no harm, so whoever does not know whether it was written writes it. A partition whose
topic was deleted needs none, nor one that knows a later epoch of the producer: an administrator has ended the
transaction there, with WriteTxnMarkers, and no batch of it can follow. An administrator's epoch of the *coordinator*
says no such thing: batches may have come after that marker. There is no other coordinator, so ours takes that epoch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.transaction import Place, Transaction
from drave.catalog import CONSUMER_OFFSETS
from drave.log import PartitionLog
from drave.log.errors import InvalidProducerEpoch, TransactionCoordinatorFenced
from drave.model.clock import Timer
from drave.model.errors import ProtocolError
from drave.records import ControlKind, Marker

if TYPE_CHECKING:
    from drave.broker.core import Broker

logger = logging.getLogger("drave.coordinator")

RETRY_S: Final = 0.25


class Ending:
    """One decided transaction, until all its markers are durable."""

    __slots__ = ("coordinator_epoch", "decided", "left", "retry")

    def __init__(self, decided: Transaction, coordinator_epoch: int) -> None:
        self.decided = decided
        self.coordinator_epoch = coordinator_epoch
        self.left = set(decided.places)
        """Where no marker is durable yet."""
        self.retry: Timer | None = None

    @property
    def marker(self) -> Marker:
        return Marker(ControlKind.COMMIT if self.decided.commits else ControlKind.ABORT, self.coordinator_epoch)


class Markers:
    """All that are on their way."""

    def __init__(self, broker: Broker, finished: Callable[[Transaction], None]) -> None:
        self._broker = broker
        self._finished = finished
        self._open: dict[str, Ending] = {}

    def write(self, decided: Transaction, coordinator_epoch: int) -> None:
        """Write those of a transaction whose decision is durable."""
        ending = self._open[decided.transactional_id] = Ending(decided, coordinator_epoch)
        self._write(ending, sorted(ending.left))

    def topic_deleted(self, name: str) -> None:
        """What was appended there will not become durable any more."""
        for ending in list(self._open.values()):
            self._settle(ending, [place for place in ending.left if place[0] == name])

    def end(self) -> None:
        """The broker stops; the next start goes on with what is decided."""
        for ending in self._open.values():
            if ending.retry is not None:
                ending.retry.cancel()
        self._open.clear()

    def _write(self, ending: Ending, places: Iterable[Place]) -> None:
        settled: list[Place] = []
        refused: list[Place] = []
        for place in places:
            if place not in ending.left:
                continue
            try:
                log = self._append(ending, place)
            except ProtocolError as error:
                logger.warning("a marker of %r for %s-%d: %s", ending.decided.transactional_id, *place, error)
                (settled if isinstance(error, InvalidProducerEpoch) else refused).append(place)
            else:
                if log is None:
                    settled.append(place)
                else:
                    log.when_durable(log.end, partial(self._settle, ending, [place]))
        if refused:
            ending.retry = self._broker.scheduler.call_later(RETRY_S, partial(self._write, ending, refused))
        self._settle(ending, settled)

    def _append(self, ending: Ending, place: Place) -> PartitionLog | None:
        decided, marker = ending.decided, ending.marker
        writer = Writer(decided.producer_id, decided.producer_epoch)
        try:
            return append_marker(self._broker, place, writer, marker, decided.version)
        except TransactionCoordinatorFenced as fenced:
            marker = Marker(marker.kind, fenced.current)
            return append_marker(self._broker, place, writer, marker, decided.version)

    def _settle(self, ending: Ending, places: Iterable[Place]) -> None:
        ending.left.difference_update(places)
        transactional_id = ending.decided.transactional_id
        if not ending.left and self._open.get(transactional_id) is ending:
            del self._open[transactional_id]
            self._finished(ending.decided)


def append_marker(broker: Broker, place: Place, writer: Writer, marker: Marker, version: int) -> PartitionLog | None:
    """Append a marker; gives the log that has to become durable, None where there is no such partition.

    Raises what the log refuses it with.
    """
    name, index = place
    topic = broker.catalog.topic(name)
    log = None if topic is None else broker.logs.partition(topic.topic_id, index)
    if log is None:
        return None
    if name == CONSUMER_OFFSETS:
        broker.groups.end_transaction(index, marker, writer, version)
    else:
        log.append_marker(
            marker.kind,
            writer.producer_id,
            writer.producer_epoch,
            marker.coordinator_epoch,
            now_ms=broker.clock.wall_ms(),
            transaction_version=version,
        )
    return log
