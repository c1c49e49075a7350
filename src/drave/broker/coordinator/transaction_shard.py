"""The transactional ids whose records are in one partition of `__transaction_state`: a machine that the runtime drives.

    request, token, time ──→ Outcome ──→ the runtime appends ──→ replay(key, value) ──→ durable state
                                └ duty: a decided transaction, whose markers are to be written

What becomes of one transaction stands in `transaction.py`; who may ask for it, and what is answered, stands here. A
producer that begins its next transaction before the markers of the last are durable waits for that a moment, where
Kafka has it ask again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

from drave.broker.coordinator.outcome import Outcome, TimerName, Token, Writer
from drave.broker.coordinator.schemas.transaction_log import (
    parse_transaction,
    parse_transaction_key,
    partitions_by_topic,
    transaction_key,
    transaction_value,
)
from drave.broker.coordinator.transaction import (
    COMPLETE,
    EPOCH_BUMPS_SINCE,
    EPOCH_EXHAUSTED,
    EPOCH_MAX,
    NO_EPOCH,
    NO_ID,
    PREPARED,
    Place,
    Transaction,
    TransactionState,
)
from drave.broker.coordinator.undecided import UndecidedRecords
from drave.broker.coordinator.unread import UnreadRecords
from drave.broker.patterns import Pattern
from drave.model.errors import ErrorCode
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from drave.wire.messages.k26_end_txn import EndTxnRequest, EndTxnResponse
from drave.wire.messages.k65_describe_transactions import TopicData
from drave.wire.messages.k65_describe_transactions import TransactionState as DescribedTransaction
from drave.wire.messages.k66_list_transactions import TransactionState as ListedTransaction

TIMEOUT: Final = "transaction"
PATIENCE: Final = "patience"

PATIENCE_MS: Final = 1_000
"""How long a producer waits for the end of its last transaction before it is told to ask again."""

RETRY_MS: Final = 1_000
"""When to try again what the log has refused."""

EXPIRED_MAX: Final = 1_000
"""So many transactional ids are forgotten at one time, in some 10 ms; the next time others are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionLimits:
    """What the settings say about transactions; names are those of `BrokerSettings`."""

    timeout_ms_max: int = 15 * 60 * 1000
    id_expiration_ms: int = 7 * 24 * 60 * 60 * 1000


class Addition(NamedTuple):
    """Partitions that a producer is about to write to."""

    transactional_id: str
    writer: Writer
    places: frozenset[Place]
    version: int
    """Of transactions."""


class TransactionFilter(NamedTuple):
    """What ListTransactions asks for; what is empty, or None, lets all pass."""

    states: frozenset[TransactionState]
    producer_ids: frozenset[int]
    running_ms: int
    """Those that have run for longer; negative: all."""
    pattern: Pattern | None


class TransactionShard:
    """The transactional ids of one partition. Every method that takes a token answers it through its outcome."""

    def __init__(self, limits: TransactionLimits, take_producer_id: Callable[[], int | None]) -> None:
        self.undecided: Final = UndecidedRecords()
        """Stays empty: a transaction's own state is part of no transaction."""
        self._limits = limits
        self._take_producer_id = take_producer_id
        """Gives an id that nobody has had; None when there is none at hand, and the producer asks again."""
        self._transactions: dict[str, Transaction] = {}
        self._waiting: dict[str, list[tuple[Token, Addition]]] = {}
        self._renewals: dict[str, tuple[int, int, int]] = {}
        """By transactional id: producer id and epoch that a producer was given last, be it by the end of a transaction,
        and the epoch that it had before: asking for that once more is a repetition (KIP-360). Soft, as in Kafka."""
        self.unread: Final = UnreadRecords()

    # -- a producer begins

    def init_producer_id(self, request: InitProducerIdRequest, token: Token, now_ms: int) -> Outcome:
        out = Outcome()
        made = self._renew(request, out, now_ms)
        if isinstance(made, ErrorCode):
            out.reply(token, InitProducerIdResponse(error_code=made, producer_epoch=NO_EPOCH))
        else:
            self._write(made, out)
            response = InitProducerIdResponse(producer_id=made.producer_id, producer_epoch=made.producer_epoch)
            out.reply(token, response)
        return out

    def _renew(self, request: InitProducerIdRequest, out: Outcome, now_ms: int) -> Transaction | ErrorCode:
        if not 0 < request.transaction_timeout_ms <= self._limits.timeout_ms_max:
            return ErrorCode.INVALID_TRANSACTION_TIMEOUT
        transactional_id = request.transactional_id
        assert transactional_id is not None
        was = self._transactions.get(transactional_id)
        expected = None if request.producer_id == NO_ID else Writer(request.producer_id, request.producer_epoch)
        if was is None:
            return self._first(transactional_id, request.transaction_timeout_ms, now_ms)
        repeats = False
        if expected is not None:
            repeats = self._repeats(was, expected)
            if not repeats and expected != (was.producer_id, was.producer_epoch):
                return ErrorCode.PRODUCER_FENCED
            repeats = repeats and was.producer_epoch < EPOCH_MAX  # that one is no producer's
        if was.state is TransactionState.ONGOING:
            self._abort(was, out, now_ms, self._take_producer_id() if _needs_id(was) else NO_ID)
            if expected is not None:
                self._remember(was, was.producer_id, was.producer_epoch + 1)
        if was.state is TransactionState.ONGOING or was.state in PREPARED:
            return ErrorCode.CONCURRENT_TRANSACTIONS
        producer_id, producer_epoch = was.producer_id, was.producer_epoch + (not repeats)
        if was.is_exhausted and not repeats:
            fresh = self._take_producer_id()
            if fresh is None:
                return ErrorCode.CONCURRENT_TRANSACTIONS
            producer_id, producer_epoch = fresh, 0
        if expected is None:
            self._renewals.pop(transactional_id, None)
        elif not repeats:
            self._remember(was, producer_id, producer_epoch)
        return was.renewed(producer_id, producer_epoch, request.transaction_timeout_ms, now_ms)

    def _first(self, transactional_id: str, timeout_ms: int, now_ms: int) -> Transaction | ErrorCode:
        """A producer that was once known, and whose transactional id has expired, begins anew too."""
        fresh = self._take_producer_id()
        if fresh is None:
            return ErrorCode.CONCURRENT_TRANSACTIONS
        return Transaction(transactional_id, fresh, 0, timeout_ms, now_ms)

    def _remember(self, was: Transaction, producer_id: int, producer_epoch: int) -> None:
        self._renewals[was.transactional_id] = producer_id, producer_epoch, was.producer_epoch

    def _repeats(self, was: Transaction, expected: Writer) -> bool:
        """Whether a producer asks once more for what it was given already, because the answer was lost."""
        producer_id, epoch, epoch_before = self._renewals.get(was.transactional_id, (NO_ID, NO_EPOCH, NO_EPOCH))
        if (producer_id, epoch) != (was.producer_id, was.producer_epoch) or expected.producer_epoch != epoch_before:
            return False
        rotated = expected.producer_id == was.previous_producer_id and epoch_before >= EPOCH_EXHAUSTED
        return rotated or expected.producer_id == producer_id

    # -- a transaction grows

    def add(self, addition: Addition, token: Token, now_ms: int) -> Outcome:
        """Add partitions to the producer's transaction, the first of which begin it. Answered with an ErrorCode."""
        out = Outcome()
        was = self._transactions.get(addition.transactional_id)
        made = _added(was, addition, now_ms)
        if made is ErrorCode.CONCURRENT_TRANSACTIONS:
            self._wait(token, addition, out)
        elif isinstance(made, ErrorCode):
            out.reply(token, made)
        else:
            assert was is not None
            self._grow(was, made, out)
            out.reply(token, ErrorCode.NONE)
        return out

    def _grow(self, was: Transaction, made: Transaction, out: Outcome) -> None:
        self._write(made, out)
        if was.state is not TransactionState.ONGOING:
            out.timer(_timeout(made), made.timeout_ms)

    def _wait(self, token: Token, addition: Addition, out: Outcome) -> None:
        transactional_id = addition.transactional_id
        waiting = self._waiting.setdefault(transactional_id, [])
        if not waiting:
            out.timer((PATIENCE, transactional_id, ""), PATIENCE_MS)
        waiting.append((token, addition))

    def verify(self, transactional_id: str, writer: Writer) -> frozenset[Place] | ErrorCode:
        """The partitions of the producer's transaction, or why it has none."""
        found = self._transactions.get(transactional_id)
        if found is None:
            return ErrorCode.INVALID_PRODUCER_ID_MAPPING
        return found.check(*writer) or found.places

    # -- a transaction ends

    def end(self, request: EndTxnRequest, version: int, token: Token, now_ms: int) -> Outcome:
        """Decide it. Answered when that is durable; the markers follow."""
        out = Outcome()
        was = self._transactions.get(request.transactional_id)
        if was is None:
            made: Transaction | ErrorCode = ErrorCode.INVALID_PRODUCER_ID_MAPPING
        elif version >= EPOCH_BUMPS_SINCE:
            made = self._end_and_bump(was, request, version, now_ms)
        else:
            made = _end_as_before(was, request, version, now_ms)
        if isinstance(made, ErrorCode):
            identity = (NO_ID, NO_EPOCH) if made or was is None else was.identity
        else:
            identity = made.identity
            self._decide(made, out)
        code = made if isinstance(made, ErrorCode) else ErrorCode.NONE
        out.reply(token, EndTxnResponse(error_code=code, producer_id=identity[0], producer_epoch=identity[1]))
        return out

    def _end_and_bump(
        self, was: Transaction, request: EndTxnRequest, version: int, now_ms: int
    ) -> Transaction | ErrorCode:
        """Version 2 (KIP-890): by its epoch, a repetition can be told from the end of the next transaction."""
        asked = Writer(request.producer_id, request.producer_epoch)
        if asked == was.identity and was.state in PREPARED:
            return ErrorCode.CONCURRENT_TRANSACTIONS  # the end of the next transaction, which has not begun yet
        overflowed = (
            asked == (was.previous_producer_id, EPOCH_EXHAUSTED) and was.producer_epoch == 0 and was.state in COMPLETE
        )
        if asked.producer_id != was.producer_id and not overflowed:
            return ErrorCode.INVALID_PRODUCER_ID_MAPPING
        ended = was.state in PREPARED or was.state in COMPLETE
        repeats = ended and (overflowed or asked.producer_epoch + 1 == was.producer_epoch)
        if not repeats and asked.producer_epoch != was.producer_epoch:
            return ErrorCode.PRODUCER_FENCED
        if repeats:
            return _repeated(was, request)
        if request.committed and was.state is not TransactionState.ONGOING:
            return ErrorCode.INVALID_TXN_STATE
        next_id = self._take_producer_id() if was.is_exhausted else NO_ID
        if next_id is None:
            return ErrorCode.CONCURRENT_TRANSACTIONS
        made = was.prepared(commit=request.committed, version=version, next_id=next_id, now_ms=now_ms)
        self._remember(was, *made.identity)
        return made

    def _decide(self, made: Transaction, out: Outcome) -> None:
        self._write(made, out)
        out.timer(_timeout(made), None)
        out.duties.append(made)

    def _abort(self, was: Transaction, out: Outcome, now_ms: int, next_id: int | None) -> None:
        """By the coordinator itself: whoever comes with the epoch of this transaction from now on is fenced."""
        next_id = NO_ID if next_id is None else next_id
        self._decide(was.prepared(commit=False, version=was.version, next_id=next_id, now_ms=now_ms, fence=True), out)

    def ended(self, decided: Transaction, token: Token, now_ms: int) -> Outcome:
        """All markers of a transaction are durable. Answered with an ErrorCode; who waited for this goes on."""
        out = Outcome()
        out.reply(token, ErrorCode.NONE)
        was = self._transactions.get(decided.transactional_id)
        if was is None or was.state not in PREPARED or was.identity != decided.identity:
            return out
        made = was.completed(now_ms)
        self._write(made, out)
        for waiting, addition in self._stop_waiting(made.transactional_id, out):
            grown = _added(made, addition, now_ms)
            if isinstance(grown, Transaction):
                self._grow(made, grown, out)
                made, grown = grown, ErrorCode.NONE
            out.reply(waiting, grown)
        return out

    def _stop_waiting(self, transactional_id: str, out: Outcome) -> list[tuple[Token, Addition]]:
        waiting = self._waiting.pop(transactional_id, [])
        if waiting:
            out.timer((PATIENCE, transactional_id, ""), None)
        return waiting

    # -- what happens by itself

    def timer_fired(self, name: TimerName, now_ms: int) -> Outcome:
        out = Outcome()
        kind, transactional_id, _ = name
        if kind == PATIENCE:
            for token, _ in self._waiting.pop(transactional_id, []):
                out.reply(token, ErrorCode.CONCURRENT_TRANSACTIONS)
            return out
        was = self._transactions.get(transactional_id)
        if was is not None and was.state is TransactionState.ONGOING:
            if was.is_over_time(now_ms):
                self._abort(was, out, now_ms, self._take_producer_id() if _needs_id(was) else NO_ID)
            else:  # the clock was put back
                out.timer(name, was.started_ms + was.timeout_ms - now_ms)
        return out

    def expire(self, now_ms: int) -> Outcome:
        """Forget transactional ids that nobody has used for long (KIP-98, KIP-360)."""
        out = Outcome()
        before_ms = now_ms - self._limits.id_expiration_ms
        unused = (
            transactional_id
            for transactional_id, each in self._transactions.items()
            if each.state not in PREPARED
            and each.state is not TransactionState.ONGOING
            and each.updated_ms <= before_ms
        )
        out.records.extend((transaction_key(each), None) for each in islice(unused, EXPIRED_MAX))
        return out

    def loaded(self, now_ms: int) -> Outcome:
        """The log has been read to its end: go on with what is decided, and watch what is not."""
        out = Outcome()
        for each in self._transactions.values():
            if each.state in PREPARED:
                out.duties.append(each)
            elif each.state is TransactionState.ONGOING:
                out.timer(_timeout(each), max(each.started_ms + each.timeout_ms - now_ms, 0))
        return out

    # -- for people

    def describe(self, transactional_id: str) -> DescribedTransaction | None:
        found = self._transactions.get(transactional_id)
        if found is None:
            return None
        topics = partitions_by_topic(found.places).items()
        return DescribedTransaction(
            transactional_id=transactional_id,
            transaction_state=found.state.title,
            transaction_timeout_ms=found.timeout_ms,
            transaction_start_time_ms=found.started_ms,
            producer_id=found.producer_id,
            producer_epoch=found.producer_epoch,
            topics=[TopicData(topic=topic, partitions=indexes) for topic, indexes in topics],
        )

    def names(self) -> Collection[str]:
        """All transactional ids."""
        return self._transactions.keys()

    def list(self, wanted: TransactionFilter, now_ms: int) -> list[ListedTransaction]:
        return [
            ListedTransaction(
                transactional_id=each.transactional_id,
                producer_id=each.producer_id,
                transaction_state=each.state.title,
            )
            for each in self._transactions.values()
            if (not wanted.states or each.state in wanted.states)
            and (not wanted.producer_ids or each.producer_id in wanted.producer_ids)
            and (wanted.running_ms < 0 or now_ms - each.started_ms > wanted.running_ms)
            and (wanted.pattern is None or wanted.pattern.matches(each.transactional_id))
        ]

    # -- the log

    def _write(self, made: Transaction, out: Outcome) -> None:
        out.records.append((transaction_key(made.transactional_id), transaction_value(made)))

    def replay(self, key: bytes, value: bytes | None) -> None:
        """Take one record into the durable state. Raises `SchemaError` for one that cannot be read."""
        if self.unread:
            self.unread.pop(key, None)
        transactional_id = parse_transaction_key(key)
        if value is None:
            self._transactions.pop(transactional_id, None)
            self._renewals.pop(transactional_id, None)
        else:
            self._transactions[transactional_id] = parse_transaction(transactional_id, value)

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        """The records that, replayed alone, give this durable state. Each is true at the moment when it is given."""
        for transactional_id in list(self._transactions):
            found = self._transactions.get(transactional_id)
            if found is not None:
                yield transaction_key(transactional_id), transaction_value(found)
        yield from self.unread.live_records()

    def refuse(self, outcome: Outcome, code: ErrorCode) -> None:
        """The log refused the outcome's records: nothing has changed, and what is due stays due."""
        keys = {parse_transaction_key(key) for key, _ in outcome.records}
        outcome.records.clear()
        outcome.duties.clear()
        outcome.timers[:] = [timer for timer in outcome.timers if timer.name[0] == PATIENCE]
        for transactional_id in keys:
            found = self._transactions.get(transactional_id)
            if found is not None and found.state is TransactionState.ONGOING:
                outcome.timer(_timeout(found), RETRY_MS)
        outcome.replies[:] = [reply._replace(response=_refused(reply.response, code)) for reply in outcome.replies]


def _needs_id(was: Transaction) -> bool:
    return was.is_exhausted and was.version >= EPOCH_BUMPS_SINCE


def _timeout(transaction: Transaction) -> TimerName:
    return TIMEOUT, transaction.transactional_id, ""


def _added(was: Transaction | None, addition: Addition, now_ms: int) -> Transaction | ErrorCode:
    if was is None:
        return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    code = was.check(*addition.writer)
    if code is not ErrorCode.NONE:
        return code
    if was.state is TransactionState.ONGOING and addition.places <= was.places:
        return ErrorCode.NONE
    return was.with_places(addition.places, addition.version, now_ms)


def _end_as_before(was: Transaction, request: EndTxnRequest, version: int, now_ms: int) -> Transaction | ErrorCode:
    """Versions 0 and 1: the epoch stays, so whatever says the same again is a repetition."""
    if request.producer_id != was.producer_id:
        return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    if request.producer_epoch != was.producer_epoch:
        return ErrorCode.PRODUCER_FENCED
    if was.state is TransactionState.EMPTY:
        return ErrorCode.INVALID_TXN_STATE
    if was.state is not TransactionState.ONGOING:
        return _repeated(was, request)
    return was.prepared(commit=request.committed, version=version, next_id=NO_ID, now_ms=now_ms)


def _repeated(was: Transaction, request: EndTxnRequest) -> ErrorCode:
    committed = was.state in (TransactionState.PREPARE_COMMIT, TransactionState.COMPLETE_COMMIT)
    if request.committed is not committed:
        return ErrorCode.INVALID_TXN_STATE
    return ErrorCode.CONCURRENT_TRANSACTIONS if was.state in PREPARED else ErrorCode.NONE


def _refused(response: Any, code: ErrorCode) -> Any:
    if isinstance(response, EndTxnResponse):
        return EndTxnResponse(error_code=response.error_code or code)
    if isinstance(response, InitProducerIdResponse):
        return InitProducerIdResponse(error_code=response.error_code or code, producer_epoch=NO_EPOCH)
    return response or code
