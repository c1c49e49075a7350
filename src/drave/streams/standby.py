"""Standby copies: states of tasks that others run, kept up to date, so that one of them can be taken over at once.

    owner ─▶ changelog ─▶ copy ─▶ … the owner goes, the task comes here, and only the rest is restored

A copy holds what is committed and nothing else. A topic that is a table is its own changelog, and is copied only as far
as the owner has processed it, which it announces; a copy that knew more would give other results.

Copies lie where Kafka's assignor will give their tasks when their owners go, for it does not ask where copies lie. Each
process finds that out for itself, from what all have announced, once nobody has announced anything else for a second.
The engine's thread follows its copies between its own records, a portion at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from drave.streams.instances import Directory
from drave.streams.placement import heirs
from drave.streams.restoring import goes_on_at
from drave.streams.state import States, TaskId, TaskState
from drave.streams.topology import SubTopology, Topology
from drave.streams.transport import Following, Message, Place, Transport

logger = logging.getLogger("drave.streams")

RECORDS_MAX: Final = 1_000
"""Of all copies, in one turn of the engine: some 3 ms."""

WAITING_MAX: Final = 5_000
"""Records of one place that were read before the owner has processed them; beyond it the place is held."""

SETTLED_S: Final = 1.0
"""Who has what changes step by step while the group gives its partitions out."""


class Copy:
    """One task's state, as it is followed."""

    def __init__(self, task_id: TaskId, sub: SubTopology, topology: Topology, transport: Transport, state: TaskState):
        self.task_id = task_id
        self.state = state
        self.positions: dict[Place, int] = {}
        """Where each changelog is read on."""
        self._stores: dict[Place, str] = {}
        self._waiting: dict[Place, list[Message]] = {}
        for spec in sub.stores:
            place = (spec.source or topology.changelog(spec.name), task_id.partition)
            self._stores[place] = spec.name
            if spec.source is not None:
                self._waiting[place] = []
            self.positions[place] = goes_on_at(task_id, state, spec.name, transport.start_offset(place))

    @property
    def held(self) -> set[Place]:
        """Places of which enough is waiting."""
        return {place for place, waiting in self._waiting.items() if len(waiting) > WAITING_MAX}

    def take(self, place: Place, records: Sequence[Message], limit: int) -> None:
        """Write down what may be known here already."""
        waiting = self._waiting.get(place)
        if waiting is not None:
            waiting += records
            records = [record for record in waiting if record.offset() < limit]
            del waiting[: len(records)]
        if records:
            self.positions[place] = end = records[-1].offset() + 1
            store = self._stores[place]
            rows = [(record.key() or b"", record.value()) for record in records]
            self.state.commit({store: rows}, {store: end})

    def expects(self, place: Place, offset: int) -> bool:
        """Whether the record of this offset comes after those that were taken."""
        waiting = self._waiting.get(place)
        return offset > waiting[-1].offset() if waiting else offset >= self.positions[place]

    def begin_again(self, place: Place, first: int) -> None:
        """The changelog is not what it was."""
        logger.warning("%s: %s-%d was made anew; its copy is made anew too", self.task_id, *place)
        self.state.wipe(self._stores[place])
        self.positions[place] = first

    def follow_from(self) -> dict[Place, int]:
        """What waits is read once more."""
        for waiting in self._waiting.values():
            waiting.clear()
        return self.positions

    def hand_over(self, reached: Mapping[Place, int]) -> TaskState:
        """The state, for whoever goes on with it. Markers behind its last record need no reading any more."""
        further = {
            self._stores[place]: reached[place]
            for place, position in self.positions.items()
            if place not in self._waiting and reached[place] > position
        }
        if further:
            self.state.commit({}, further)
        return self.state


class Standbys:
    """The copies of one process: `per_task` of each task are kept in all, where there are so many processes."""

    def __init__(self, transport: Transport, topology: Topology, states: States, *, per_task: int) -> None:
        self.copies: dict[TaskId, Copy] = {}
        self.took = False
        """Whether the last turn has read anything."""
        self._transport = transport
        self._topology = topology
        self._states = states
        self._per_task = per_task
        self._following: Following | None = None
        self._directory = Directory()
        self._look_at = 0.0
        """When to look who has what."""
        self._seen: tuple[list[str], dict[str, str]] = ([], {})
        """Who is alive, and who has what, as it was looked at last."""
        self._placed = self._seen
        """The same, as copies were placed by it."""
        self._follow_anew = False
        self._held: set[Place] = set()
        self._copy_of: dict[Place, Copy] = {}
        self._processed: dict[Place, int] = {}
        """Of topics that are tables, as their tasks' owners have announced it."""
        self._heard: Place = (topology.instances.name, 0)
        self._heard_to = 0

    def turn(self, counts: Mapping[SubTopology, int], mine: Collection[TaskId], now_s: float) -> bool:
        """Follow the copies a little further; whether there was anything. `mine` are the tasks that run here."""
        self.took = False
        if self._following is None:
            self._following, self._follow_anew = self._transport.following(), True
        if now_s >= self._look_at:
            self._look_at = now_s + SETTLED_S
            self._look(counts, mine, now_s)
        if self._follow_anew:
            self._follow_anew = False
            self._held = set()
            places = {self._heard: self._heard_to}
            for copy in self.copies.values():
                places |= copy.follow_from()
            self._following.follow(places)
        messages = self._following.poll(0.0, RECORDS_MAX)
        for place, records in groupby(messages, lambda message: (message.topic(), message.partition())):
            self._take(place, list(records), now_s)
            if self._follow_anew:
                break  # the rest is read once more
        if messages:
            self._hold()
        self.took = bool(messages)
        return self.took

    def hand_over(self, task_id: TaskId) -> TaskState | None:
        """The state of a task that runs here from now on, if there is a copy of it."""
        copy = self._let_go(task_id)
        if copy is None:
            return None
        assert self._following is not None, "who has copies follows them"
        return copy.hand_over({place: self._following.reached(place) for place in copy.positions})

    def close(self) -> None:
        for task_id in list(self.copies):
            self._close(task_id)
        if self._following is not None:
            self._following.close()
            self._following = None

    # -- which

    def _look(self, counts: Mapping[SubTopology, int], mine: Collection[TaskId], now_s: float) -> None:
        """Place the copies when everybody has been saying the same since the last look, and something else before."""
        now = (self._directory.alive(now_s), self._directory.owners())
        before, self._seen = self._seen, now
        if now == before != self._placed and self._transport.name in now[0]:
            self._placed = now
            self._place(counts, mine, *now)

    def _place(
        self, counts: Mapping[SubTopology, int], mine: Collection[TaskId], alive: list[str], owners: Mapping[str, str]
    ) -> None:
        wanted: dict[TaskId, SubTopology] = {}
        for sub, partitions in counts.items():
            for partition in range(partitions if sub.stores else 0):
                task_id = TaskId(sub.name, partition)
                owner = owners.get(str(task_id))
                if owner is None:
                    is_wanted = task_id in self.copies  # it is on its way
                else:
                    is_wanted = self._transport.name in heirs(partition, partitions, alive, owner, self._per_task)
                if is_wanted:
                    wanted[task_id] = sub
        for task_id in self.copies.keys() - wanted.keys():
            self._close(task_id)
        for task_id in sorted(wanted.keys() - self.copies.keys() - set(mine)):
            self._open(task_id, wanted[task_id])

    def _open(self, task_id: TaskId, sub: SubTopology) -> None:
        copy = Copy(task_id, sub, self._topology, self._transport, self._states.open(task_id))
        self.copies[task_id] = copy
        self._copy_of |= dict.fromkeys(copy.positions, copy)
        self._follow_anew = True

    def _close(self, task_id: TaskId) -> None:
        copy = self._let_go(task_id)
        assert copy is not None
        copy.state.close()

    def _let_go(self, task_id: TaskId) -> Copy | None:
        copy = self.copies.pop(task_id, None)
        if copy is not None:
            self._follow_anew = True
            for place in copy.positions:
                del self._copy_of[place]
        return copy

    # -- how far

    def _take(self, place: Place, records: list[Message], now_s: float) -> None:
        if place == self._heard:
            self._heard_to = records[-1].offset() + 1
            self._hear(records, now_s)
        elif (copy := self._copy_of.get(place)) is not None:
            if copy.expects(place, records[0].offset()):
                copy.take(place, records, self._processed.get(place, 0))
            else:
                copy.begin_again(place, self._transport.start_offset(place))
                self._follow_anew = True

    def _hear(self, announcements: Iterable[Message], now_s: float) -> None:
        """What was said last counts: an offset that is behind belongs to a group that was reset."""
        for message in announcements:
            instance = self._directory.hear(message, now_s)
            for name, progress in (instance.tasks if instance is not None else {}).items():
                task_id = TaskId.parse(name)
                for topic, offset in progress.items():
                    place = (topic, task_id.partition)
                    self._processed[place] = offset
                    if (copy := self._copy_of.get(place)) is not None:
                        copy.take(place, (), offset)

    def _hold(self) -> None:
        held = {place for copy in self.copies.values() for place in copy.held}
        if held != self._held and self._following is not None:
            self._held = held
            self._following.hold(held)
