"""Transactional producers, of both kinds that are about.

    version 1   AddPartitionsToTxn ─▶ Produce (to 11) ─▶ EndTxn (to 4)      the epoch stays
    version 2                         Produce (from 12) ─▶ EndTxn (from 5)    a new epoch for each transaction (KIP-890)

Several processes may have one transactional id: whoever is given an epoch fences all before. As in life, some of them
give up a batch or a decision that was never answered, some end in the middle of a transaction, and some, of version 1,
forget to add a partition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from drave.model.errors import ErrorCode
from drave.wire.api import ApiKey
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from drave.wire.messages.k24_add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
)
from drave.wire.messages.k26_end_txn import EndTxnRequest, EndTxnResponse
from simulation.clients.caller import TRY_AGAIN, Caller, Unanswered
from simulation.clients.carrying import NO_PRODUCER, batch_of
from simulation.clients.producing import IN_FLIGHT_MAX, Outgoing, Producer
from simulation.history import Fence, Outcome, Partition, Source, Transaction

TIMEOUTS_MS: Final = (1_500, 5_000, 30_000)
BUMPING: Final = 2
"""The version of transactions in which each has an epoch of its own."""
ABORTABLE: Final = frozenset((ErrorCode.TRANSACTION_ABORTABLE, ErrorCode.REQUEST_TIMED_OUT))
"""After which the producer may abort and go on."""
KEEPS_EPOCH_SINCE: Final = 3
"""Versions of InitProducerId that may say who asks (KIP-360)."""
FORGETFULNESS: Final = 0.08
"""How often a process of version 1 writes to a partition that it has not added."""
IMPATIENCE: Final = 0.25
"""How often a process does not ask once more when it was not answered."""
SUDDEN_ENDS: Final = 0.05
"""How often a process ends in the middle of a transaction."""
_FENCED: Final = frozenset((ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_EPOCH))


class Fenced(Exception):
    """Another process has this transactional id now, or the coordinator thinks so: this one ends."""


class GaveUp(Exception):
    """This process was not answered, or has failed, and ends as it is; another one may take its place."""


class Broken(Exception):
    """The transaction cannot go on; its process may begin anew with a new epoch."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


class TransactionalProducer(Producer):
    """One process with a transactional id."""

    def __init__(
        self,
        caller: Caller,
        transactional_id: str,
        *,
        version: int,
        keys: Sequence[bytes | None] = (None,),
    ) -> None:
        super().__init__(caller, keys=keys, tombstones=len(keys) > 1)
        self.transactional_id = transactional_id
        self.version = version
        self.timeout_ms = caller.random.choice(TIMEOUTS_MS)
        self.identity = NO_PRODUCER
        self.fence: Fence | None = None
        self._sequences: dict[Partition, int] = defaultdict(int)
        self._added: set[Partition] = set()
        self._count = 0
        self._unanswered = 0
        if version >= BUMPING:
            caller.version(ApiKey.PRODUCE, low=12)
            caller.version(ApiKey.END_TXN, low=5)
            caller.version(ApiKey.TXN_OFFSET_COMMIT, low=5)
        else:
            caller.version(ApiKey.PRODUCE, high=11)
            caller.version(ApiKey.END_TXN, high=4)
            caller.version(ApiKey.TXN_OFFSET_COMMIT, high=4)
            caller.version(ApiKey.ADD_PARTITIONS_TO_TXN, high=3)  # from 4 on it is for brokers

    # -- its identity

    async def identify(self) -> None:
        """An epoch, and with it the end of whatever an earlier process left open. Raises Fenced."""
        renews = self.identity != NO_PRODUCER and (self.caller.version(ApiKey.INIT_PRODUCER_ID) >= KEEPS_EPOCH_SINCE)
        producer_id, epoch = self.identity if renews else NO_PRODUCER
        request = InitProducerIdRequest(
            transactional_id=self.transactional_id,
            transaction_timeout_ms=self.timeout_ms,
            producer_id=producer_id,
            producer_epoch=epoch,
        )
        while True:
            fence = self._new_fence()
            try:
                reply: InitProducerIdResponse = await self.caller.ask(request)
            except Unanswered:
                await self.caller.back_off()
                continue
            code = ErrorCode(reply.error_code)
            if code is ErrorCode.NONE:
                fence.producer_id, fence.epoch = self.identity = reply.producer_id, reply.producer_epoch
                self.fence = fence
                self._sequences.clear()
                self.caller.history.tell(fence, Outcome.DONE)
                return
            self.caller.history.tell(fence, Outcome.REFUSED)
            if code in _FENCED:
                raise Fenced
            if code not in TRY_AGAIN:
                self.caller.history.complain(self.caller.name, code, "InitProducerId")
            await self.caller.back_off()

    def _new_fence(self) -> Fence:
        history = self.caller.history
        fence = Fence(by=self.caller.name, asked=history.now(), transactional_id=self.transactional_id)
        history.fences.append(fence)
        return fence

    # -- one transaction

    def begin(self) -> Transaction:
        history = self.caller.history
        assert self.fence is not None, "it has an identity"
        self._count += 1
        self._added.clear()
        self._unanswered = self.caller.unanswered
        now = history.now()
        made = Transaction(
            by=self.caller.name,
            asked=now,
            name=f"{self.caller.name}!{self._count}",
            transactional_id=self.transactional_id,
            begun=now,
            timeout_ms=self.timeout_ms,
            fence=self.fence,
        )
        history.transactions.append(made)
        return made

    async def write(
        self, transaction: Transaction, place: Partition, count: int, sources: Sequence[Source] = ()
    ) -> None:
        """A batch into the transaction, sent until it is there, or no longer. Raises Broken or Fenced."""
        if self.version < BUMPING and place not in self._added and self.caller.random.random() >= FORGETFULNESS:
            await self._add(place)
        outgoing = self.batch(place, count, transaction=transaction, idempotent=True, sources=sources)
        self._number(outgoing)
        while True:
            try:
                (answer,) = await self.send([outgoing], transactional_id=self.transactional_id)
            except Unanswered:
                await self._try_again(ErrorCode.REQUEST_TIMED_OUT)
                continue
            code = ErrorCode(answer.error_code)
            if code in (ErrorCode.NONE, ErrorCode.DUPLICATE_SEQUENCE_NUMBER):
                self.done(outgoing, answer)
                return
            if code not in TRY_AGAIN:
                self.refused(outgoing, answer)
                raise Fenced if code is ErrorCode.PRODUCER_FENCED else Broken(code)
            await self.caller.back_off()

    async def _try_again(self, code: ErrorCode) -> None:
        """Wait until another try, or give the transaction up, as producers do whose delivery.timeout.ms is over."""
        if self.caller.random.random() < IMPATIENCE:
            raise Broken(code)
        await self.caller.back_off()

    def _number(self, outgoing: Outgoing) -> None:
        outgoing.sequence = self._sequences[outgoing.partition]
        self._sequences[outgoing.partition] += len(outgoing.records)
        outgoing.data = batch_of(
            outgoing.records,
            codec=outgoing.codec,
            producer=self.identity,
            base_sequence=outgoing.sequence,
            transactional=True,
        )

    async def _add(self, place: Partition) -> None:
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.transactional_id,
            v3_and_below_producer_id=self.identity[0],
            v3_and_below_producer_epoch=self.identity[1],
            v3_and_below_topics=[AddPartitionsToTxnTopic(name=place.topic, partitions=[place.index])],
        )
        while True:
            reply: AddPartitionsToTxnResponse = await self.caller.insist(request)
            code = ErrorCode(reply.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code)
            if code is ErrorCode.NONE:
                self._added.add(place)
                return
            if code not in TRY_AGAIN:
                raise Fenced if code is ErrorCode.PRODUCER_FENCED else Broken(code)
            await self.caller.back_off()

    async def end(self, transaction: Transaction, *, commit: bool) -> bool:
        """Decide it, asked until it is answered; whether it was done. Raises Fenced or GaveUp."""
        history = self.caller.history
        transaction.commit = commit
        transaction.asked = history.now()
        request = EndTxnRequest(
            transactional_id=self.transactional_id,
            producer_id=self.identity[0],
            producer_epoch=self.identity[1],
            committed=commit,
        )
        uncertain = False
        while True:
            try:
                reply: EndTxnResponse = await self.caller.ask(request)
            except Unanswered:
                uncertain = True
                if self.caller.random.random() < 2 * IMPATIENCE:
                    raise GaveUp from None
                await self.caller.back_off()
                continue
            code = ErrorCode(reply.error_code)
            if code is ErrorCode.NONE:
                history.tell(transaction, Outcome.DONE)
                if reply.producer_id >= 0 and (reply.producer_id, reply.producer_epoch) != self.identity:
                    self.identity = reply.producer_id, reply.producer_epoch
                    self._sequences.clear()
                if self.version < BUMPING and self.caller.unanswered > self._unanswered:
                    await self.identify()  # what is still on its way must not meet the next one: KIP-890's reason
                return True
            if code not in TRY_AGAIN:
                if not uncertain:
                    history.tell(transaction, Outcome.REFUSED)
                if code is ErrorCode.PRODUCER_FENCED:
                    raise Fenced
                return False
            uncertain |= code is not ErrorCode.CONCURRENT_TRANSACTIONS
            await self.caller.back_off()


class TransactionalWriter:
    """Writes transaction after transaction to several partitions, and commits most of them."""

    def __init__(
        self, producer: TransactionalProducer, topics: Sequence[str], *, pauses_ms: Sequence[int] = (0, 0, 5, 50)
    ) -> None:
        self._producer = producer
        self._pauses_ms = pauses_ms
        self._caller = producer.caller
        self._topics = topics

    async def live(self, transactions: int) -> None:
        """So many transactions, or until it is fenced or gives up."""
        producer = self._producer
        places = [place for topic in self._topics for place in await self._caller.wait_for(topic)]
        try:
            await producer.identify()
            for _ in range(transactions):
                await self._caller.rest(0.7)
                if not await self._transact(places):
                    await producer.identify()
        except (Fenced, GaveUp):
            return

    async def _transact(self, places: list[Partition]) -> bool:
        """One transaction; False when the producer has to begin anew."""
        producer, random, world = self._producer, self._caller.random, self._caller.world
        transaction = producer.begin()
        commit = random.random() < 0.7
        try:
            chosen = random.sample(places, min(len(places), random.randint(1, 3)))
            for _ in range(random.randint(1, IN_FLIGHT_MAX)):
                await producer.write(transaction, random.choice(chosen), random.randint(1, 3))
                await world.sleep(random.choice(self._pauses_ms))
            if random.random() < SUDDEN_ENDS:
                raise GaveUp
            if random.random() < 0.05:
                await world.sleep(producer.timeout_ms + 200)  # its time is up before it decides
        except Broken as error:
            if error.code not in ABORTABLE:
                return False
            commit = False
        return await producer.end(transaction, commit=commit)
