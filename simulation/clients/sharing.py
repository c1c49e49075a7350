"""Members of share groups: they take records, and say what became of each (KIP-932).

    heartbeat ─▶ what it is to read ─▶ ShareFetch ─▶ held ─▶ accept, release, reject, renew, or too late
                                          ▲             │
                                          └─ along with ┴─ by itself: ShareAcknowledge

What a member holds, it holds by its share session, and that by its connection: with that it forgets all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, TypeVar

from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.wire.api import ApiKey
from drave.wire.messages import k78_share_fetch as k78
from drave.wire.messages import k79_share_acknowledge as k79
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse
from simulation.clients.caller import TRY_AGAIN, Caller, Unanswered
from simulation.clients.carrying import seen_batches
from simulation.history import Judged, Moment, Outcome, Partition, Said, Taken

HEARTBEAT_MS: Final = 1_000
LATE_CHANCE: Final = 0.05
"""How often a member keeps what it holds for longer than its lock."""
RENEWS_SINCE: Final = 2
QUIET_TURNS: Final = 4
"""After so many fetches of nothing, each as long as a lock, nothing is left to come."""
TURNS_MAX: Final = 400

NEW_SESSION: Final = 0
_LEAVING: Final = -1
_NO_SUCH_SESSION: Final = (ErrorCode.SHARE_SESSION_NOT_FOUND, ErrorCode.INVALID_SHARE_SESSION_EPOCH)
_REFUSED: Final = (ErrorCode.INVALID_RECORD_STATE, ErrorCode.INVALID_REQUEST)
_WORDS: Final = (Said.ACCEPT, Said.ACCEPT, Said.ACCEPT, Said.RELEASE, Said.REJECT)

B = TypeVar("B", k78.AcknowledgementBatch, k79.AcknowledgementBatch)
Held = dict[Partition, dict[int, Said]]
"""By offset: what may be said of it. Where no record is, that is that there is none."""


class ShareMember:
    """One process's place in a share group, and its share session."""

    def __init__(self, caller: Caller, group: str, topics: Sequence[str]) -> None:
        self.caller = caller
        self.group = group
        self._topics = topics
        self._member = f"{caller.random.getrandbits(128):032x}"
        self._member_epoch = 0
        self._beaten_ms = -HEARTBEAT_MS
        self.assigned: list[Partition] = []
        self._sessions = 0
        self._session_epoch = NEW_SESSION
        self._fetched: set[Partition] = set()
        """What the session knows to fetch."""
        self.held: Held = defaultdict(dict)

    @property
    def _session(self) -> str:
        return f"{self.caller.name}/{self._sessions}"

    # -- the group

    async def beat(self) -> None:
        """Say that it is alive when it is time to, and hear what to read. Raises Unanswered."""
        world = self.caller.world
        if world.now_ms() - self._beaten_ms < HEARTBEAT_MS:
            return
        joins = self._member_epoch == 0
        reply: ShareGroupHeartbeatResponse = await self.caller.ask(
            ShareGroupHeartbeatRequest(
                group_id=self.group,
                member_id=self._member,
                member_epoch=self._member_epoch,
                subscribed_topic_names=list(self._topics) if joins else None,
            )
        )
        self._beaten_ms = world.now_ms()
        code = ErrorCode(reply.error_code)
        if code in (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.GROUP_ID_NOT_FOUND):
            self._member_epoch, self._beaten_ms = 0, -HEARTBEAT_MS
        elif code is ErrorCode.NONE:
            self._member_epoch = reply.member_epoch
            if reply.assignment is not None:
                await self._read(reply)
        elif code not in TRY_AGAIN:
            self.caller.history.complain(self.caller.name, code, f"ShareGroupHeartbeat in {self.group}")

    async def _read(self, reply: ShareGroupHeartbeatResponse) -> None:
        assert reply.assignment is not None
        known = await self.caller.partitions(*self._topics)
        places = {(place.topic_id, place.index): place for each in known.values() for place in each}
        given = ((topic.topic_id, at) for topic in reply.assignment.topic_partitions for at in topic.partitions)
        self.assigned = [places[each] for each in given if each in places]

    async def leave(self) -> None:
        """Say goodbye; whether it arrives does not matter."""
        try:
            await self.caller.ask(
                ShareGroupHeartbeatRequest(group_id=self.group, member_id=self._member, member_epoch=_LEAVING)
            )
        except Unanswered:
            return

    # -- the session

    def _forget(self) -> None:
        """The session is no more, and with it what was held."""
        self._sessions += 1
        self._session_epoch = NEW_SESSION
        self._fetched.clear()
        self.held.clear()

    def _went_on(self, asked: Moment) -> None:
        self._session_epoch += 1
        self.caller.history.share_sessions[self._session] = asked

    async def fetch(self, saying: Held, *, wait_ms: int, records_max: int) -> None:
        """One ShareFetch, with what is to be said of what was held. Raises Unanswered."""
        caller, history = self.caller, self.caller.history
        caller.version(ApiKey.SHARE_FETCH)
        wanted = set(self.assigned)
        batches = _batches(saying, k78.AcknowledgementBatch)
        named = (wanted - self._fetched) | set(batches)
        forgotten = self._fetched - wanted - set(batches)
        request = k78.ShareFetchRequest(
            group_id=self.group,
            member_id=self._member,
            share_session_epoch=self._session_epoch,
            max_wait_ms=wait_ms,
            min_bytes=1,
            max_bytes=caller.random.choice((1, 2_000, 1 << 20)),
            max_records=records_max,
            batch_size=caller.random.choice((1, 10, 500)),
            share_acquire_mode=caller.random.choice((0, 1)),
            topics=[
                k78.FetchTopic(
                    topic_id=topic_id,
                    partitions=[
                        k78.FetchPartition(partition_index=place.index, acknowledgement_batches=batches.get(place, []))
                        for place in places
                    ],
                )
                for topic_id, places in _by_topic(named)
            ],
            forgotten_topics_data=[
                k78.ForgottenTopic(topic_id=topic_id, partitions=[place.index for place in places])
                for topic_id, places in _by_topic(forgotten)
            ],
        )
        judged = self._judged(saying)
        asked = history.now()
        history.lost_share_fetches[self.group] += 1  # until it is answered; the process may be killed before
        try:
            reply: k78.ShareFetchResponse = await caller.ask(request)
        except Unanswered:
            self._forget()
            raise
        history.lost_share_fetches[self.group] -= 1
        if not self._is_answered(ErrorCode(reply.error_code), judged, "ShareFetch"):
            return
        parts = {(topic.topic_id, part.partition_index): part for topic in reply.responses for part in topic.partitions}
        self._hear(judged, {where: part.acknowledge_error_code for where, part in parts.items()})
        self._fetched = (self._fetched | named) - forgotten
        for place in sorted(self._fetched):
            part = parts.get((place.topic_id, place.index))
            if part is not None and part.error_code == ErrorCode.NONE:
                self._take(place, part, asked)
            elif part is not None and ErrorCode(part.error_code) not in TRY_AGAIN:
                history.complain(caller.name, ErrorCode(part.error_code), f"ShareFetch of {place}")
        self._went_on(asked)

    def _take(self, place: Partition, part: k78.PartitionData, asked: Moment) -> None:
        """Hold what was given."""
        data = b"" if part.records is None else bytes(part.records)  # type: ignore[arg-type]  # as it was decoded
        there = {each.offset for batch in seen_batches(data, (), 0) if not batch.control for each in batch.records}
        told = self.caller.history.now()
        for given in part.acquired_records:
            for offset in range(given.first_offset, given.last_offset + 1):
                self.held[place][offset] = Said.ACCEPT if offset in there else Said.GAP
                if offset in there:
                    taken = Taken(self.group, place, offset, given.delivery_count, self._session, asked, told)
                    self.caller.history.taken.append(taken)

    async def acknowledge(self, saying: Held, *, renews: bool = False, ends: bool = False) -> None:
        """One ShareAcknowledge. Raises Unanswered."""
        self.caller.version(ApiKey.SHARE_ACKNOWLEDGE, low=RENEWS_SINCE if renews else 0)
        batches = _batches(saying, k79.AcknowledgementBatch)
        request = k79.ShareAcknowledgeRequest(
            group_id=self.group,
            member_id=self._member,
            share_session_epoch=-1 if ends else self._session_epoch,
            is_renew_ack=renews,
            topics=[
                k79.AcknowledgeTopic(
                    topic_id=topic_id,
                    partitions=[
                        k79.AcknowledgePartition(partition_index=place.index, acknowledgement_batches=batches[place])
                        for place in places
                    ],
                )
                for topic_id, places in _by_topic(batches)
            ],
        )
        judged = self._judged(saying)
        asked = self.caller.history.now()
        try:
            reply: k79.ShareAcknowledgeResponse = await self.caller.ask(request)
        except Unanswered:
            self._forget()
            raise
        if not self._is_answered(ErrorCode(reply.error_code), judged, "ShareAcknowledge"):
            return
        codes = {
            (topic.topic_id, part.partition_index): part.error_code
            for topic in reply.responses
            for part in topic.partitions
        }
        self._hear(judged, codes)
        self._went_on(asked)
        if ends:
            self._forget()

    # -- words

    def _judged(self, saying: Held) -> list[Judged]:
        """Note down what is about to be said. What is said is held no longer, unless it was renewed."""
        history = self.caller.history
        asked = history.now()
        judged = []
        for place, first, last, said in _runs(saying):
            judged.append(
                Judged(
                    by=self.caller.name,
                    asked=asked,
                    group=self.group,
                    partition=place,
                    first=first,
                    last=last,
                    said=said,
                    session=self._session,
                )
            )
            if said is not Said.RENEW:
                for offset in range(first, last + 1):
                    self.held[place].pop(offset, None)
        history.judged += judged
        return judged

    def _is_answered(self, code: ErrorCode, judged: list[Judged], about: str) -> bool:
        if code is ErrorCode.NONE:
            return True
        if code in _NO_SUCH_SESSION:
            for each in judged:
                self.caller.history.tell(each, Outcome.REFUSED)
        elif code not in TRY_AGAIN:
            self.caller.history.complain(self.caller.name, code, f"{about} in {self.group}")
        self._forget()
        return False

    def _hear(self, judged: list[Judged], codes: Mapping[tuple[TopicId, int], int]) -> None:
        history = self.caller.history
        for each in judged:
            code = ErrorCode(codes.get((each.partition.topic_id, each.partition.index), -1))
            if code is ErrorCode.NONE:
                history.tell(each, Outcome.DONE)
            elif code in _REFUSED:
                history.tell(each, Outcome.REFUSED)
            elif code not in TRY_AGAIN:
                history.complain(self.caller.name, code, f"{each}")


class ShareReader:
    """A member that takes records and says of each what became of it, as an application would."""

    def __init__(self, member: ShareMember) -> None:
        self._member = member
        self._caller = member.caller

    async def live(self, turns: int) -> None:
        member, random = self._member, self._caller.random
        for _ in range(turns):
            try:
                await self._caller.rest(0.1)
                await member.beat()
                await self._turn()
            except Unanswered:
                await self._caller.back_off()
        if random.random() < 0.5:
            try:
                await member.acknowledge(self._words(1.0), ends=True)
            except Unanswered:
                return
        if random.random() < 0.7:
            await member.leave()

    async def _turn(self) -> None:
        member, random, world = self._member, self._caller.random, self._caller.world
        if member.held and random.random() < LATE_CHANCE:
            await world.sleep(2 * self._caller.history.share_lock_ms)
        if any(member.held.values()) and random.random() < 0.15:
            await member.acknowledge(self._words(0.5, (Said.RENEW,)), renews=True)
        saying = self._words(random.choice((0.0, 0.5, 1.0)))
        if any(saying.values()) and random.random() < 0.4:
            await member.acknowledge(saying)
        elif member.assigned:
            await member.fetch(saying, wait_ms=random.choice((0, 50, 500)), records_max=random.choice((1, 5, 100)))
        await world.sleep(random.choice((0, 0, 10, 300)))

    def _words(self, share: float, words: Sequence[Said] = _WORDS) -> Held:
        """What is said of about so many of the records that are held; the same of many in a row."""
        random = self._caller.random
        saying: Held = {}
        for place, offsets in self._member.held.items():
            word, found = random.choice(words), {}
            for offset, known in sorted(offsets.items()):
                if random.random() < 0.3:
                    word = random.choice(words)
                if random.random() < share:
                    found[offset] = known if known is Said.GAP else word
            if found:
                saying[place] = found
        return saying


async def drain(caller: Caller, group: str, topics: Sequence[str]) -> None:
    """Accept all that is still to come, until nothing is: when all others have gone and all locks have ended."""
    member = ShareMember(caller, group, topics)
    caller.history.drained[group] = False
    quiet = 0
    for _ in range(TURNS_MAX):
        before = len(caller.history.taken)
        try:
            await member.beat()
            if member.assigned:
                await member.fetch(
                    {place: dict(offsets) for place, offsets in member.held.items() if offsets},
                    wait_ms=caller.history.share_lock_ms,
                    records_max=500,
                )
        except Unanswered:
            await caller.back_off()
            continue
        everything = sum(map(len, (await caller.partitions(*topics)).values()))
        is_quiet = len(member.assigned) == everything and len(caller.history.taken) == before
        quiet = quiet + 1 if is_quiet and not any(member.held.values()) else 0
        if quiet == QUIET_TURNS:
            caller.history.drained[group] = True
            break
        await caller.world.sleep(HEARTBEAT_MS // 2)
    await member.leave()


def _runs(saying: Held) -> Iterator[tuple[Partition, int, int, Said]]:
    """Offsets in a row of which the same is said."""
    for place, offsets in sorted(saying.items()):
        numbered = enumerate(sorted(offsets))
        for (_, said), run in groupby(numbered, key=lambda each: (each[1] - each[0], offsets[each[1]])):
            those = [offset for _, offset in run]
            yield place, those[0], those[-1], said


def _batches(saying: Held, kind: type[B]) -> dict[Partition, list[B]]:
    """The same as requests say it; the types of one batch may be one for all, or one for each."""
    found: dict[Partition, list[B]] = defaultdict(list)
    for place, first, last, said in _runs(saying):
        batch = kind(first_offset=first, last_offset=last, acknowledge_types=[said.value])
        found[place].append(batch)
    return found


def _by_topic(places: Iterable[Partition]) -> Iterator[tuple[TopicId, list[Partition]]]:
    for topic_id, those in groupby(sorted(places), key=lambda place: place.topic_id):
        yield topic_id, list(those)
