"""Who of a group is to have which partitions: a pure function of who is in it and what there is.

    range     each topic by itself, cut into runs of neighbours: the same member has the same numbers of two topics
    uniform   all partitions together: everybody has as many as the others, and keeps what it had

Both give each partition of a topic to exactly one of those who subscribe to it, and the same group always the same
assignment. There is one broker, and so no rack to be near to.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from drave.broker.coordinator.consumer.member import Assignment
from drave.model.ids import TopicId

ROUNDS_MAX: Final = 16
"""How often `uniform` goes over topics whose subscribers overlap. It ends after two rounds where they do not."""


class Candidate(NamedTuple):
    """A member that partitions can be given to."""

    member_id: str
    instance_id: str | None
    topics: frozenset[TopicId]
    """Those that it subscribes to and that exist."""
    target: Assignment
    """What it was to have before."""


Assignor = Callable[[Sequence[Candidate], Mapping[TopicId, int]], dict[str, Assignment]]
"""From the members, and from the numbers of partitions of all topics that they subscribe to, what each is to have."""


def assign_range(candidates: Sequence[Candidate], partitions: Mapping[TopicId, int]) -> dict[str, Assignment]:
    """Cut each topic into as many runs as it has subscribers, the longer ones first. Static members keep their place in
    the row when they come back under another id."""
    row = sorted(candidates, key=lambda each: (each.instance_id is None, each.instance_id or each.member_id))
    subscribers: defaultdict[TopicId, int] = defaultdict(int)
    for each in row:
        for topic_id in each.topics:
            subscribers[topic_id] += 1
    given: dict[TopicId, int] = dict.fromkeys(subscribers, 0)
    starts: dict[TopicId, int] = dict.fromkeys(subscribers, 0)
    assigned: dict[str, Assignment] = {}
    for each in row:
        mine: dict[TopicId, frozenset[int]] = {}
        for topic_id in each.topics:
            least, longer = divmod(partitions[topic_id], subscribers[topic_id])
            start = starts[topic_id]
            end = start + least + (given[topic_id] < longer)
            given[topic_id] += 1
            starts[topic_id] = end
            if start < end:
                mine[topic_id] = frozenset(range(start, end))
        assigned[each.member_id] = mine
    return assigned


def assign_uniform(candidates: Sequence[Candidate], partitions: Mapping[TopicId, int]) -> dict[str, Assignment]:
    """Even out how many partitions members have; move no more of them than that takes."""
    if not partitions:
        return {}
    return _Balance(candidates, partitions).found()


Place = tuple[TopicId, int]


class _Pool:
    """All topics with the same subscribers: their partitions are alike to who gives them out."""

    __slots__ = ("free", "owned", "size", "subscribers")

    def __init__(self, subscribers: list[int]) -> None:
        self.subscribers = subscribers
        self.size = 0
        self.free: list[Place] = []
        self.owned: defaultdict[int, list[Place]] = defaultdict(list)


class _Balance:
    """An assignment on its way to being even. Members are numbers, in the order in which they came."""

    def __init__(self, candidates: Sequence[Candidate], partitions: Mapping[TopicId, int]) -> None:
        self._candidates = candidates
        self._loads = [0] * len(candidates)
        self._changed: set[int] = set()
        self._pool_of: dict[TopicId, _Pool] = {}
        self._pools = self._make_pools(partitions)
        self._keep(partitions)

    def found(self) -> dict[str, Assignment]:
        if len(self._pools) == 1 and len(self._pools[0].subscribers) == len(self._candidates):
            self._share(self._pools[0])
        else:
            self._balance()
        return {each.member_id: self._assignment(number) for number, each in enumerate(self._candidates)}

    def _balance(self) -> None:
        """Members want different topics: pool by pool, and over again while that brings them closer."""
        for pool in self._pools:
            self._give_out(pool)
        shared = [pool for pool in self._pools if len(pool.subscribers) > 1]
        for _ in range(ROUNDS_MAX):
            moved = [self._even_out(pool) for pool in shared]
            if not any(moved):
                break

    def _make_pools(self, partitions: Mapping[TopicId, int]) -> list[_Pool]:
        """The pools with most partitions for each subscriber first, then those with fewer subscribers."""
        alike: defaultdict[frozenset[TopicId], list[int]] = defaultdict(list)
        for number, each in enumerate(self._candidates):
            alike[each.topics].append(number)
        pools: dict[tuple[int, ...], _Pool] = {}
        for topic_id in sorted(partitions):
            who = tuple(index for index, topics in enumerate(alike) if topic_id in topics)
            pool = pools.get(who)
            if pool is None:
                groups = list(alike.values())
                pools[who] = pool = _Pool(sorted(number for index in who for number in groups[index]))
            pool.size += partitions[topic_id]
            self._pool_of[topic_id] = pool
        return sorted(pools.values(), key=lambda pool: (-pool.size / len(pool.subscribers), len(pool.subscribers)))

    def _keep(self, partitions: Mapping[TopicId, int]) -> None:
        """Everybody keeps what it had and still wants."""
        taken: defaultdict[TopicId, set[int]] = defaultdict(set)
        for number, each in enumerate(self._candidates):
            for topic_id, mine in each.target.items():
                if topic_id not in each.topics:
                    self._changed.add(number)
                    continue
                self._pool_of[topic_id].owned[number].extend((topic_id, partition) for partition in sorted(mine))
                taken[topic_id] |= mine
                self._loads[number] += len(mine)
        for topic_id in sorted(partitions):
            held = taken[topic_id]
            free = ((topic_id, partition) for partition in range(partitions[topic_id]) if partition not in held)
            self._pool_of[topic_id].free.extend(free)

    def _share(self, pool: _Pool) -> None:
        """Everybody wants the same: each has its share, and one more goes to those who have it already, or else to
        the last. That is the same choice as Kafka's."""
        members = len(self._candidates)
        least, more = divmod(pool.size, members)
        quotas: list[int] = []
        for number, load in enumerate(self._loads):
            takes_more = more > 0 and (load > least or members - number <= more)
            more -= takes_more
            quotas.append(least + takes_more)
            if load > quotas[number]:
                pool.free += pool.owned[number][quotas[number] :]
                del pool.owned[number][quotas[number] :]
                self._changed.add(number)
        given = 0
        for number, quota in enumerate(quotas):
            lacks = quota - len(pool.owned[number])
            if lacks > 0:
                pool.owned[number] += pool.free[given : given + lacks]
                given += lacks
                self._changed.add(number)

    def _give_out(self, pool: _Pool) -> None:
        """What nobody has goes to whoever has least."""
        loads = self._loads
        poorest = [(loads[number], number) for number in pool.subscribers]
        heapq.heapify(poorest)
        for place in pool.free:
            load, number = poorest[0]
            pool.owned[number].append(place)
            self._changed.add(number)
            loads[number] = load + 1
            heapq.heapreplace(poorest, (load + 1, number))

    def _even_out(self, pool: _Pool) -> bool:
        """Move from who has most to who has least, until one partition makes no difference; whether any was moved."""
        loads = self._loads
        counts = [loads[number] for number in pool.subscribers]
        if max(counts) - min(counts) <= 1:
            return False
        poorest = [(loads[number], number) for number in pool.subscribers]
        richest = [(-loads[number], number) for number in pool.subscribers if pool.owned[number]]
        heapq.heapify(poorest)
        heapq.heapify(richest)
        moved = False
        while richest:
            rich, giver = heapq.heappop(richest)
            if -rich != loads[giver]:
                continue  # it has been given something since
            while poorest[0][0] != loads[poorest[0][1]]:
                heapq.heappop(poorest)
            poor, taker = poorest[0]
            if -rich - poor <= 1:
                break
            pool.owned[taker].append(pool.owned[giver].pop())
            self._changed |= {giver, taker}
            loads[giver] -= 1
            loads[taker] += 1
            heapq.heapreplace(poorest, (poor + 1, taker))
            heapq.heappush(poorest, (loads[giver], giver))
            if pool.owned[giver]:
                heapq.heappush(richest, (-loads[giver], giver))
            moved = True
        return moved

    def _assignment(self, number: int) -> Assignment:
        candidate = self._candidates[number]
        if number not in self._changed:
            return candidate.target
        topics: defaultdict[TopicId, set[int]] = defaultdict(set)
        for pool in self._pools:
            for topic_id, partition in pool.owned.get(number, ()):
                topics[topic_id].add(partition)
        return {topic_id: frozenset(mine) for topic_id, mine in topics.items()}


ASSIGNORS: Final[Mapping[str, Assignor]] = {"uniform": assign_uniform, "range": assign_range}
"""By the names under which members ask for them; the first is taken where nobody asks."""

DEFAULT: Final = next(iter(ASSIGNORS))


def preferred(wishes: Iterable[str | None]) -> str:
    """The assignor that most members ask for; the first in the table of two with as many."""
    counts = dict.fromkeys(ASSIGNORS, 0)
    for wish in wishes:
        if wish is not None:
            counts[wish] = counts.get(wish, 0) + 1
    most = max(counts, key=counts.__getitem__)
    return most if most in ASSIGNORS else DEFAULT
