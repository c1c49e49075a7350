"""Consume, transform, produce: exactly once, with offsets in the transaction (KIP-98, KIP-447).

    read_committed ─▶ a copy of each record ─▶ TxnOffsetCommit ─▶ EndTxn          all of it counts, or nothing

Alone, a copier is fenced by its transactional id; as a member of a group by its generation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from drave.model.errors import ErrorCode
from drave.wire.api import ApiKey
from drave.wire.messages.k25_add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse
from drave.wire.messages.k28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
)
from simulation.clients.caller import TRY_AGAIN, Unanswered
from simulation.clients.grouping import PAUSE_CHANCE, PAUSE_MS, Member, Rejoin, Replaced, resume
from simulation.clients.offsets import Membership, new_commits, tell
from simulation.clients.reading import Fetcher
from simulation.clients.transacting import ABORTABLE, BUMPING, Broken, Fenced, GaveUp, TransactionalProducer
from simulation.history import Partition, Read, Source, Transaction

MEMBERS_SINCE: Final = 3
"""The version of TxnOffsetCommit from which on it says which member commits, of which generation (KIP-447)."""
BUMPS_SINCE: Final = 5
"""The first for transactions of version 2."""
IDS_SINCE: Final = 6
RECORDS_AT_ONCE: Final = 8
_STALE: Final = frozenset(
    (
        ErrorCode.ILLEGAL_GENERATION,
        ErrorCode.UNKNOWN_MEMBER_ID,
        ErrorCode.FENCED_INSTANCE_ID,
        ErrorCode.REBALANCE_IN_PROGRESS,
    )
)


class Copier:
    """One process that copies a topic's records into another topic, with a transactional id."""

    def __init__(
        self, producer: TransactionalProducer, group: str, source: str, target: str, *, member: Member | None = None
    ) -> None:
        self._producer = producer
        self._caller = producer.caller
        self._group = group
        self._source = source
        self._target = target
        self._member = member
        if member is not None:
            low, high = (BUMPS_SINCE, IDS_SINCE) if producer.version >= BUMPING else (MEMBERS_SINCE, BUMPS_SINCE - 1)
            self._caller.version(ApiKey.TXN_OFFSET_COMMIT, low=low, high=high)
        self._fetcher = Fetcher(producer.caller, committed_only=True)
        self._positions: dict[Partition, int] = {}

    async def live(self, turns: int) -> None:
        """So many transactions or polls, or until another process takes over."""
        self._places = await self._caller.wait_for(self._target)
        left = turns
        try:
            await self._producer.identify()
            while left > 0:
                try:
                    await self._begin()
                    while left > 0:
                        left -= 1
                        await self._caller.rest(0.2)
                        if not await self._turn():
                            break
                except (Rejoin, Unanswered):
                    left -= 1
                    await self._caller.back_off()
        except (Fenced, GaveUp, Replaced):
            return

    async def _begin(self) -> None:
        if self._member is None:
            places = await self._caller.wait_for(self._source)
        else:
            places = await self._member.enter()
        self._positions = await resume(self._caller, self._group, places)

    async def _turn(self) -> bool:
        """Copy what there is; False when positions have to be found anew."""
        going_on = True
        if self._positions:
            reads = await self._fetcher.fetch(self._positions, wait_ms=300)
            if any(read.next_position > read.position for read in reads):
                going_on = await self._copy(reads)
        else:
            await self._caller.world.sleep(300)
        if self._member is not None:
            await self._member.beat()
        return going_on

    async def _copy(self, reads: Sequence[Read]) -> bool:
        """One transaction. False when positions have to be found anew: it was not committed, so what it read has to be
        read again; or the broker was out of reach meanwhile, and it is good to know where one stands."""
        producer, random = self._producer, self._caller.random
        unanswered = self._caller.unanswered
        ends, sources = _take(reads)
        transaction = producer.begin()
        commit = random.random() < 0.8
        try:
            for start in range(0, len(sources), 3):
                some = sources[start : start + 3]
                await producer.write(transaction, random.choice(self._places), len(some), some)
            if random.random() < 0.05:
                await self._caller.world.sleep(producer.timeout_ms + 200)
            if self._member is not None and random.random() < PAUSE_CHANCE:
                await self._caller.world.sleep(PAUSE_MS)
            if not await self._commit_offsets(transaction, ends):
                commit = False
        except Broken as error:
            if error.code not in ABORTABLE:
                await producer.identify()
                return False
            commit = False
        await self._caller.world.sleep(random.choice((0, 0, 50, 500, 1500)))
        ended = await producer.end(transaction, commit=commit)
        if not ended:
            await producer.identify()
        elif commit:
            self._positions |= ends
        return ended and commit and self._caller.unanswered == unanswered

    async def _commit_offsets(self, transaction: Transaction, ends: Mapping[Partition, int]) -> bool:
        """False when the group has gone on without this member. Raises Broken or Fenced."""
        producer = self._producer
        if producer.version < BUMPING:
            await self._add_offsets()
        whose = self._member.whose if self._member is not None else Membership(self._group)
        request = self._request(whose, ends)
        while True:
            commits = new_commits(self._caller, whose, ends)
            for each in commits:
                each.transaction = transaction
            try:
                reply: TxnOffsetCommitResponse = await self._caller.ask(request)
            except Unanswered:
                await self._caller.back_off()
                continue
            answers = {
                (self._source, each.partition_index): ErrorCode(each.error_code)
                for topic in reply.topics
                for each in topic.partitions
            }
            codes = set(tell(self._caller, commits, answers))
            if codes == {ErrorCode.NONE}:
                return True
            if codes & _STALE:
                return False
            for code in codes - TRY_AGAIN - {ErrorCode.NONE}:
                raise Fenced if code is ErrorCode.PRODUCER_FENCED else Broken(code)
            await self._caller.back_off()

    def _request(self, whose: Membership, ends: Mapping[Partition, int]) -> TxnOffsetCommitRequest:
        producer = self._producer
        (topic_id,) = {place.topic_id for place in ends}
        return TxnOffsetCommitRequest(
            transactional_id=producer.transactional_id,
            group_id=whose.group,
            producer_id=producer.identity[0],
            producer_epoch=producer.identity[1],
            generation_id_or_member_epoch=whose.generation,
            member_id=whose.member,
            group_instance_id=whose.instance,
            topics=[
                TxnOffsetCommitRequestTopic(
                    name=self._source,
                    topic_id=topic_id,
                    partitions=[
                        TxnOffsetCommitRequestPartition(
                            partition_index=place.index, committed_offset=offset, committed_metadata=None
                        )
                        for place, offset in ends.items()
                    ],
                )
            ],
        )

    async def _add_offsets(self) -> None:
        producer = self._producer
        request = AddOffsetsToTxnRequest(
            transactional_id=producer.transactional_id,
            producer_id=producer.identity[0],
            producer_epoch=producer.identity[1],
            group_id=self._group,
        )
        while True:
            reply: AddOffsetsToTxnResponse = await self._caller.insist(request)
            code = ErrorCode(reply.error_code)
            if code is ErrorCode.NONE:
                return
            if code not in TRY_AGAIN:
                raise Fenced if code is ErrorCode.PRODUCER_FENCED else Broken(code)
            await self._caller.back_off()


def _take(reads: Sequence[Read]) -> tuple[dict[Partition, int], list[Source]]:
    """How far to copy, and what is to be copied on the way; a few records only, so that there are more transactions."""
    ends: dict[Partition, int] = {}
    sources: list[Source] = []
    for read in reads:
        found = [record.offset for batch in read.batches if batch.committed for record in batch.records]
        room = RECORDS_AT_ONCE - len(sources)
        if read.next_position > read.position and room > 0:
            ends[read.partition] = found[room] if len(found) > room else read.next_position
            sources += [Source(read.partition, offset) for offset in found[:room]]
    return ends, sources
