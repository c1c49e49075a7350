"""One partition of an internal topic and the state machine that its records are the state of.

    request ──→ step ──→ Outcome ──→ append, as one batch ──→ replay ──→ timers
                                     refused? the answers                   │
                                     become errors                          ▼
                                              replies leave when the end of this moment is durable

Records of a transaction (offsets that a producer commits with what it has written, KIP-98) are appended as its batch
and wait as undecided; its marker, which the transaction's coordinator has written here, has them replayed or forgotten.

The law: durable state changes only by replay, right after the append. Every reply, also of an operation that only
reads, waits until all that was appended by then is durable, for it may rest on it. What the log refuses, it refuses
before replay. A failed sync never comes back here: it ends the process.

A coordinator holds its whole state, so the log needs no more than that: when it has grown far past it, the live state
is appended anew and the log's start moves behind what came before.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from drave.broker.context import Pending
from drave.broker.coordinator.loading import LatestRecords, OrderedRecords
from drave.broker.coordinator.outcome import KeyValue, Outcome, TimerName, Token, Writer
from drave.broker.coordinator.undecided import UndecidedRecords
from drave.broker.coordinator.unread import UnreadRecords
from drave.log.errors import InvalidProducerEpoch
from drave.model.errors import ErrorCode, ProtocolError
from drave.model.ids import Offset
from drave.records import BatchHeader, ControlKind, InvalidRecord, Marker, build_batch, parse_header, split
from drave.schema import SchemaError

if TYPE_CHECKING:
    from drave.log import PartitionLog

logger = logging.getLogger("drave.coordinator")

KiB: Final = 1024
MiB: Final = 1024 * KiB

COMPACT_BYTES_MIN: Final = 4 * MiB
"""Some 30,000 commits, which a start reads in 0.15 s."""
COMPACT_RATIO: Final = 10
READ_BYTES: Final = 1 * MiB
CHUNK_RECORDS: Final = 512
"""Records of the live state that are appended, or replayed when it is loaded, in one go, while requests wait."""


class Machine(Protocol):
    """What a partition's state machine does. It is pure: it knows no log, no clock and no waiting."""

    @property
    def undecided(self) -> UndecidedRecords:
        """Records that may come to be replayed. The partition fills it and empties it; the machine only looks."""
        ...

    def replay(self, key: bytes, value: bytes | None) -> None:
        """Take a record into the durable state; SchemaError when it cannot be read."""
        ...

    @property
    def unread(self) -> UnreadRecords:
        """Records that it could not read, as the partition found them; they are part of the durable state."""
        ...

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        """The whole durable state. It may change between two steps of the iteration: each is true when it is given."""
        ...

    def loaded(self, now_ms: int) -> Outcome: ...

    def timer_fired(self, name: TimerName, now_ms: int) -> Outcome: ...

    def expire(self, now_ms: int) -> Outcome: ...

    def refuse(self, outcome: Outcome, code: ErrorCode) -> None:
        """The log has refused the outcome's records: make its replies say so."""
        ...


class NotLoaded(ProtocolError):
    """A partition that does not take anything now, and soon may."""

    code = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS

    def __init__(self, partition: str) -> None:
        super().__init__(partition)
        self.partition = partition

    def __str__(self) -> str:
        return f"{self.partition} is being loaded, or has been given up."


M = TypeVar("M", bound=Machine)
Step = Callable[[M, Token, int], Outcome]
"""A request made to the machine: the machine, the token to answer, the time."""
Refuse = Callable[[ErrorCode], Any]
"""Words the answer to a request that comes to nothing."""


class CoordinatorPartition(Generic[M]):
    """One partition's machine, with its log, its parked requests and its timers."""

    __slots__ = (
        "_awaited",
        "_bytes_held",
        "_change_timer",
        "_compact_at",
        "_compacting",
        "_now_ms",
        "_parked",
        "_perform",
        "_reading",
        "_tokens",
        "ended",
        "loaded",
        "log",
        "machine",
        "undecided",
    )

    def __init__(
        self,
        machine: M,
        log: PartitionLog | None,
        *,
        now_ms: Callable[[], int],
        change_timer: Callable[[TimerName, int | None], None],
        perform: Callable[[Any], None],
        reading: type[LatestRecords | OrderedRecords] = LatestRecords,
    ) -> None:
        self.machine = machine
        self.undecided = machine.undecided
        """Not yet part of the machine's state, which may never be."""
        self.log = log
        """None before the topic is there: nothing can have been written, nor be written yet."""
        self.loaded = log is None or log.end == log.start
        self.ended = False
        self._now_ms = now_ms
        self._change_timer = change_timer
        self._perform = perform
        self._reading = reading
        """Which of the log's records count when it is loaded."""
        self._tokens = itertools.count()
        self._parked: dict[Token, tuple[Pending, Refuse]] = {}
        self._bytes_held = 0
        """Bytes that a load would have to read."""
        self._compact_at = COMPACT_BYTES_MIN
        self._compacting = False
        self._awaited: asyncio.Future[Any] | None = None
        """What a compaction waits for: the disk."""

    # -- requests

    @property
    def unavailable(self) -> ErrorCode | None:
        """Why it cannot be asked now."""
        if self.ended:
            return ErrorCode.NOT_COORDINATOR
        return None if self.loaded else ErrorCode.COORDINATOR_LOAD_IN_PROGRESS

    def submit(self, step: Step[M], refuse: Refuse) -> Any:
        """Make a request; the response where it can leave now, else a Pending."""
        code = self.unavailable
        if code is not None:
            return refuse(code)
        token = next(self._tokens)
        outcome = step(self.machine, token, self._now_ms())
        response = self._carry_out(outcome, token)
        if response is None:
            pending = Pending(on_cancel=partial(self._forget, token))
            self._parked[token] = pending, refuse
            return pending
        return self.once_durable(response)

    def event(self, outcome: Outcome) -> None:
        """Carry out what no request asked for."""
        self._carry_out(outcome, None)

    def timer_fired(self, name: TimerName) -> None:
        if self.unavailable is None:
            self.event(self.machine.timer_fired(name, self._now_ms()))

    def once_durable(self, response: Any) -> Any:
        """`response` itself when all that it may rest on is durable, else a Pending that is completed then."""
        log = self.log
        if log is None or log.durable >= log.end:
            return response
        pending = Pending()
        log.when_durable(log.end, partial(pending.complete, response))
        return pending

    def _carry_out(self, outcome: Outcome, asker: Token | None) -> Any:
        """Append, replay, set timers, answer the parked; the asker's own response, if it is there, is returned."""
        if outcome.records:
            self._write(outcome)
        for name, after_ms in outcome.timers:
            self._change_timer(name, after_ms)
        for duty in outcome.duties:
            self._when_durable(partial(self._perform, duty))
        own = None
        for token, response in outcome.replies:
            if token == asker:
                own = response
            elif parked := self._parked.pop(token, None):
                self._release(parked[0], response)
        return own

    def _release(self, pending: Pending, response: Any) -> None:
        self._when_durable(partial(pending.complete, response))

    def _when_durable(self, then: Callable[[], None]) -> None:
        log = self.log
        if log is None:
            then()
        else:
            log.when_durable(log.end, then)

    def _write(self, outcome: Outcome) -> None:
        writer = outcome.writer
        try:
            self._append(outcome.records, writer)
        except ProtocolError as error:
            logger.error("%s: the records of a request were refused: %s", self.log, error)
            fenced = isinstance(error, InvalidProducerEpoch)
            self.machine.refuse(outcome, error.code if fenced else ErrorCode.COORDINATOR_NOT_AVAILABLE)
            return
        if writer is not None:
            for key, value in outcome.records:
                self.undecided.add(writer, key, value)
            return
        replay, undecided = self.machine.replay, self.undecided
        for key, value in outcome.records:
            if undecided:
                undecided.overtaken(key)
            replay(key, value)

    def _append(self, records: Iterable[KeyValue], writer: Writer | None = None) -> None:
        log = self.log
        assert log is not None, "what writes waits for the topic"
        now_ms = self._now_ms()
        if writer is None:
            batch = build_batch(records, timestamp_ms=now_ms)
        else:
            batch = build_batch(records, timestamp_ms=now_ms, transactional=True, **writer._asdict())
        log.append(batch, parse_header(batch), now_ms=now_ms)
        self._bytes_held += len(batch)

    def end_transaction(self, marker: Marker, writer: Writer, transaction_version: int) -> None:
        """Append the marker that ends a producer's transaction here.

        Raises NotLoaded, and what the log refuses it with.
        """
        log = self.log
        if log is None or self.unavailable is not None:
            raise NotLoaded(str(log))
        log.append_marker(
            marker.kind,
            writer.producer_id,
            writer.producer_epoch,
            marker.coordinator_epoch,
            now_ms=self._now_ms(),
            transaction_version=transaction_version,
        )
        for key, value in self.undecided.decide(writer.producer_id, commit=marker.kind is ControlKind.COMMIT):
            self._replay_loaded(key, value)

    def _forget(self, token: Token) -> None:
        self._parked.pop(token, None)

    def end(self, code: ErrorCode) -> None:
        """Answer all that is parked, and take no more."""
        self.ended = True
        parked, self._parked = self._parked, {}
        for pending, refuse in parked.values():
            pending.complete(refuse(code))
        if self._awaited is not None:
            self._awaited.cancel()

    # -- loading

    async def load(self) -> None:
        """Read the log from its start to its end. Until then, requests are told that it is being loaded."""
        log = self.log
        assert log is not None
        latest = self._reading()
        position = log.start
        while position < log.durable and not self.ended:
            batches = log.read_now(position, bytes_max=READ_BYTES, limit=log.durable, whole_first=True)
            if batches is None:
                batches = await log.read(position, bytes_max=READ_BYTES, limit=log.durable, whole_first=True)
            if not batches.parts:
                break
            for part in batches.parts:
                for header, batch in split(part):
                    self._take(latest, header, batch)
                    position = Offset(header.last_offset + 1)
            self._bytes_held += batches.size
            await asyncio.sleep(0)  # let others have the loop
        replayed = iter(latest)
        while not self.ended and (chunk := list(islice(replayed, CHUNK_RECORDS))):
            for key, value in chunk:
                self._replay_loaded(key, value)
            await asyncio.sleep(0)
        if self.ended:
            return
        for each in latest.undecided():
            self.undecided.add(*each)
        self.loaded = True
        self.event(self.machine.loaded(self._now_ms()))

    def _take(self, latest: LatestRecords | OrderedRecords, header: BatchHeader, batch: memoryview) -> None:
        try:
            latest.take(header, batch)
        except InvalidRecord as error:
            logger.error("%s: the batch at offset %d is passed over: %s", self.log, header.base_offset, error)

    def _replay_loaded(self, key: bytes, value: bytes | None) -> None:
        try:
            self.machine.replay(key, value)
        except SchemaError as error:
            logger.warning("%s: a record cannot be read, and is kept as it is: %s", self.log, error)
            self.machine.unread.keep(key, value)

    # -- compaction

    @property
    def wants_compaction(self) -> bool:
        return self._bytes_held >= self._compact_at and not self._compacting and self.loaded

    def compact(self) -> Coroutine[Any, Any, None]:
        """Append the live state and move the log's start behind what came before it, if that is worth it."""
        self._compacting = True
        return self._compact()

    async def _compact(self) -> None:
        try:
            live_bytes = 0
            live = self.machine.live_records()
            while chunk := list(islice(live, CHUNK_RECORDS)):
                live_bytes += sum(len(key) + len(value) for key, value in chunk)
                await asyncio.sleep(0)
            if self._bytes_held >= max(COMPACT_BYTES_MIN, COMPACT_RATIO * live_bytes):
                await self._rewrite()
            self._compact_at = max(COMPACT_BYTES_MIN, COMPACT_RATIO * live_bytes, self._bytes_held + 1)
        except ProtocolError as error:
            logger.warning("%s could not be compacted, and stays as it is: %s", self.log, error)
            self._compact_at = self._bytes_held + COMPACT_BYTES_MIN
        finally:
            self._compacting = False

    async def _rewrite(self) -> None:
        """Requests are served between the chunks. What changes meanwhile is appended after its rewriting, or rewritten
        as it is then: either way its last state comes last. An undecided record is repeated behind its key's live
        one, in the same turn, for it may still take that one's place. Ends as cancelled when the partition ends
        meanwhile: a disk that is full or has failed may never answer."""
        log = self.log
        assert log is not None
        first, before = log.end, self._bytes_held
        live = self.machine.live_records()
        self._repeat_undecided()
        while chunk := list(islice(live, CHUNK_RECORDS)):
            self._append(chunk)
            self._repeat_undecided(key for key, _ in chunk)
            await asyncio.sleep(0)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        log.when_durable(log.end, partial(_tell, durable))
        await self._until(durable)
        if not self.ended:
            await self._until(log.delete_records(first))
            self._bytes_held -= before

    def _repeat_undecided(self, keys: Iterable[bytes] | None = None) -> None:
        for each in list(self.undecided.of(keys)) if self.undecided else ():
            self._append([(each.key, each.value)], each.writer)

    async def _until(self, done: asyncio.Future[Any]) -> None:
        self._awaited = done
        if self.ended:
            done.cancel()
        await done


def _tell(durable: asyncio.Future[None]) -> None:
    if not durable.done():
        durable.set_result(None)
