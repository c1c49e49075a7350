"""Offsets of groups: committed by members, by nobody in particular, or in a transaction; and found again.

    position ─▶ OffsetCommit ─▶ done │ refused │ unanswered          position ─▶ TxnOffsetCommit ─▶ … when it commits
    OffsetFetch ─▶ what is found

Each try is a commit of its own in the history: one that was never answered may still happen, at any later moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from drave.model.errors import ErrorCode
from drave.wire.api import ApiKey
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from drave.wire.messages.k09_offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)
from simulation.clients.caller import TRY_AGAIN, Caller, Unanswered
from simulation.history import Commit, Found, Moment, Outcome, Partition

GROUPS_SINCE: Final = 8
IDS_SINCE: Final = 10
STABLE_SINCE: Final = 7
UNSURE: Final = frozenset(
    (
        ErrorCode.UNKNOWN_SERVER_ERROR,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
    )
)
"""The last two are told, too, when the disk has failed the coordinator: recovery may find the commit all the same."""


class Membership(NamedTuple):
    """As whom a group's offsets are committed."""

    group: str
    generation: int = -1
    member: str = ""
    instance: str | None = None


def new_commits(caller: Caller, whose: Membership, offsets: Mapping[Partition, int]) -> list[Commit]:
    """What is about to be asked."""
    now = caller.history.now()
    made = [
        Commit(
            by=caller.name,
            asked=now,
            group=whose.group,
            partition=place,
            offset=offset,
            generation=whose.generation,
            member=whose.member,
        )
        for place, offset in offsets.items()
    ]
    caller.history.commits.extend(made)
    return made


def tell(caller: Caller, commits: Iterable[Commit], codes: Mapping[tuple[str, int], ErrorCode]) -> list[ErrorCode]:
    """Their outcomes; returns the codes."""
    found = []
    for each in commits:
        code = codes[each.partition.topic, each.partition.index]
        found.append(code)
        if code is ErrorCode.NONE:
            caller.history.tell(each, Outcome.DONE)
        elif code not in UNSURE:
            caller.history.tell(each, Outcome.REFUSED)
    return found


async def commit(caller: Caller, whose: Membership, offsets: Mapping[Partition, int]) -> list[ErrorCode]:
    """Commit once; the codes of the partitions. Raises Unanswered."""
    topics: dict[str, OffsetCommitRequestTopic] = {}
    for place, offset in offsets.items():
        topic = topics.setdefault(
            place.topic, OffsetCommitRequestTopic(name=place.topic, topic_id=place.topic_id, partitions=[])
        )
        topic.partitions.append(
            OffsetCommitRequestPartition(
                partition_index=place.index, committed_offset=offset, committed_metadata=f"by {caller.name}"
            )
        )
    request = OffsetCommitRequest(
        group_id=whose.group,
        generation_id_or_member_epoch=whose.generation,
        member_id=whose.member,
        group_instance_id=whose.instance if caller.version(ApiKey.OFFSET_COMMIT) >= STABLE_SINCE else None,
        topics=list(topics.values()),
    )
    commits = new_commits(caller, whose, offsets)
    reply: OffsetCommitResponse = await caller.ask(request)
    names = {place.topic_id: place.topic for place in offsets}
    codes = {
        (topic.name or names[topic.topic_id], each.partition_index): ErrorCode(each.error_code)
        for topic in reply.topics
        for each in topic.partitions
    }
    return tell(caller, commits, codes)


async def find(caller: Caller, group: str, places: Iterable[Partition], *, stable: bool = True) -> dict[Partition, int]:
    """How far a group has come; -1: nowhere yet. Asked until it is answered."""
    places = list(places)
    if stable:
        caller.version(ApiKey.OFFSET_FETCH, low=STABLE_SINCE)
    version = caller.version(ApiKey.OFFSET_FETCH)
    request = _request(group, places, version, stable=stable and version >= STABLE_SINCE)
    while True:
        asked = caller.history.now()
        try:
            reply: OffsetFetchResponse = await caller.ask(request)
        except Unanswered:
            await caller.back_off()
            continue
        found = _found(reply, places, version)
        codes = {code for _, code in found.values()}
        if codes <= {ErrorCode.NONE}:
            told = caller.history.now()
            _note(caller, group, {place: offset for place, (offset, _) in found.items()}, asked, told, request)
            return {place: offset for place, (offset, _) in found.items()}
        for code in codes - {ErrorCode.NONE} - TRY_AGAIN:
            caller.history.complain(caller.name, code, f"OffsetFetch of {group}")
        await caller.back_off()


def _request(group: str, places: list[Partition], version: int, *, stable: bool) -> OffsetFetchRequest:
    by_topic: dict[str, list[Partition]] = {}
    for place in places:
        by_topic.setdefault(place.topic, []).append(place)
    indexes = {topic: [place.index for place in each] for topic, each in by_topic.items()}
    if version < GROUPS_SINCE:
        topics = [OffsetFetchRequestTopic(name=topic, partition_indexes=each) for topic, each in indexes.items()]
        return OffsetFetchRequest(group_id=group, topics=topics, require_stable=stable)
    asked = [
        OffsetFetchRequestTopics(name=topic, topic_id=by_topic[topic][0].topic_id, partition_indexes=each)
        for topic, each in indexes.items()
    ]
    return OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=asked)], require_stable=stable)


def _found(reply: OffsetFetchResponse, places: list[Partition], version: int) -> dict[Partition, tuple[int, ErrorCode]]:
    whole = ErrorCode(reply.groups[0].error_code if version >= GROUPS_SINCE else reply.error_code)
    if whole is not ErrorCode.NONE:
        return dict.fromkeys(places, (-1, whole))
    answers: dict[tuple[object, int], tuple[int, ErrorCode]] = {}
    if version >= GROUPS_SINCE:
        for topic in reply.groups[0].topics:
            for each in topic.partitions:
                name = topic.topic_id if version >= IDS_SINCE else topic.name
                answers[name, each.partition_index] = each.committed_offset, ErrorCode(each.error_code)
    else:
        for one in reply.topics:
            for partition in one.partitions:
                code = ErrorCode(partition.error_code)
                answers[one.name, partition.partition_index] = partition.committed_offset, code
    return {place: answers[place.topic_id if version >= IDS_SINCE else place.topic, place.index] for place in places}


def _note(
    caller: Caller,
    group: str,
    offsets: Mapping[Partition, int],
    asked: Moment,
    told: Moment,
    request: OffsetFetchRequest,
) -> None:
    caller.history.founds.extend(
        Found(
            by=caller.name,
            asked=asked,
            told=told,
            outcome=Outcome.DONE,
            group=group,
            partition=place,
            stable=request.require_stable,
            offset=offset,
        )
        for place, offset in offsets.items()
    )


class Watcher:
    """Looks at how far groups have come."""

    def __init__(self, caller: Caller, groups: tuple[str, ...], topics: tuple[str, ...]) -> None:
        self._caller = caller
        self._groups = groups
        self._topics = topics

    async def live(self, steps: int) -> None:
        caller, random = self._caller, self._caller.random
        places = [place for topic in self._topics for place in await caller.wait_for(topic)]
        for _ in range(2 * steps):
            await find(caller, random.choice(self._groups), places, stable=random.random() < 0.7)
            await caller.world.sleep(random.choice((50, 200, 500)))


class Bookkeeper:
    """Commits offsets for a group that has no members, and looks at what it finds. Its offsets only grow."""

    def __init__(self, caller: Caller, group: str, topics: tuple[str, ...]) -> None:
        self._caller = caller
        self._whose = Membership(group)
        self._topics = topics

    async def live(self, steps: int) -> None:
        caller, random = self._caller, self._caller.random
        places = [place for topic in self._topics for place in await caller.wait_for(topic)]
        at = max((await find(caller, self._whose.group, places, stable=random.random() < 0.5)).values())
        for _ in range(steps):
            await caller.rest(0.2)
            if random.random() < 0.7:
                at = max(at, 0) + random.randint(1, 5)
                chosen = random.sample(places, random.randint(1, len(places)))
                try:
                    await commit(caller, self._whose, dict.fromkeys(chosen, at))
                except Unanswered:
                    await caller.back_off()
            else:
                await find(caller, self._whose.group, places)
            await caller.world.sleep(random.choice((0, 10, 100, 500)))
