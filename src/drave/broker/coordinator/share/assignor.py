"""Who reads which share-partitions: Kafka's `simple` assignor.

    3 partitions, 2 members   A: 0 2   B: 1              each partition to one
    2 partitions, 5 members   A: 0 1   B: 0   C: 1  …    each to three of them

Each partition goes to the least number of members with which everybody has one; each member gets its share of these
places, rounded up or down. Members keep what they have as far as that lets them. Where not all subscribe to the same
topics, each topic is shared out by itself.

In one case a place stays empty: when all who still have room read that partition already. No partition is ever without
a member, and no member without a partition.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from drave.broker.coordinator.share.state import SharePartition
from drave.model.ids import TopicId

NAME: Final = "simple"

Partitions = frozenset[SharePartition]
NOTHING: Final[Partitions] = frozenset()


def assign(
    subscriptions: Mapping[str, frozenset[TopicId]],
    current: Mapping[str, Partitions],
    assignable: Iterable[SharePartition],
) -> dict[str, Partitions]:
    """What each member is to have. `current` is what it was to have until now."""
    by_topic: dict[TopicId, list[SharePartition]] = {}
    for partition in sorted(assignable):
        by_topic.setdefault(partition.topic_id, []).append(partition)
    members = sorted(subscriptions)
    found: dict[str, set[SharePartition]] = {member: set() for member in members}
    if len(set(subscriptions.values())) == 1:
        topics = subscriptions[members[0]]
        pool = [each for topic_id, those in by_topic.items() if topic_id in topics for each in those]
        _share_out(pool, members, current, found)
    else:
        for topic_id, pool in by_topic.items():
            readers = [member for member in members if topic_id in subscriptions[member]]
            _share_out(pool, readers, current, found)
    return {member: frozenset(partitions) for member, partitions in found.items()}


def _share_out(
    pool: list[SharePartition],
    members: list[str],
    current: Mapping[str, Partitions],
    found: dict[str, set[SharePartition]],
) -> None:
    """Add to what was found for these members their parts of this pool."""
    if not pool or not members:
        return
    sharing = -(-len(members) // len(pool))
    room = _rooms(sharing * len(pool), members)
    readers = _keep(pool, members, current, room, sharing)
    for partition, those in readers.items():
        for member in those:
            found[member].add(partition)
            room[member] -= 1
    open_to = deque(member for member in members if room[member])
    for partition in pool:
        taken = readers[partition]
        for _ in range(len(open_to)):
            if len(taken) >= sharing:
                break
            member = open_to.popleft()
            if member not in taken:
                taken.add(member)
                found[member].add(partition)
                room[member] -= 1
            if room[member]:
                open_to.append(member)


def _rooms(places: int, members: list[str]) -> dict[str, int]:
    """How many places each member gets: their sum is `places`, and they differ by one at most."""
    ends = [-(-places * index // len(members)) for index in range(len(members) + 1)]
    return {member: ends[index + 1] - ends[index] for index, member in enumerate(members)}


def _keep(
    pool: list[SharePartition],
    members: list[str],
    current: Mapping[str, Partitions],
    room: Mapping[str, int],
    sharing: int,
) -> dict[SharePartition, set[str]]:
    """Who keeps what of the pool: nobody more than there is room for, and no partition more readers than it needs.

    Places that others want are given up first, so that as few as possible have to move.
    """
    readers: dict[SharePartition, set[str]] = {partition: set() for partition in pool}
    kept = {member: [each for each in sorted(current.get(member, NOTHING)) if each in readers] for member in members}
    for member, partitions in kept.items():
        for partition in partitions:
            readers[partition].add(member)
    for member, partitions in kept.items():
        excess = len(partitions) - room[member]
        if excess > 0:
            crowded = sorted(partitions, key=lambda each: len(readers[each]))
            for partition in crowded[-excess:]:
                readers[partition].discard(member)
    for those in readers.values():
        for member in sorted(those)[sharing:]:
            those.discard(member)
    return readers
