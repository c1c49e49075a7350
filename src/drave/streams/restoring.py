"""A task on its way: what its changelogs hold beyond its state is read into it, a portion at a time.

    state ─▶ offset … changelog … end ─▶ the task begins
             ╰──── done ────╯

Its places are ours and paused meanwhile. A state that does not fit its changelog is wiped and restored whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from drave.streams.state import StoreSpec, TaskId, TaskState
from drave.streams.topology import SubTopology, Topology
from drave.streams.transport import Committed, Message, Place, Transport

logger = logging.getLogger("drave.streams")


@dataclass(slots=True)
class _Read:
    """What is left to read of one store's changelog."""

    store: str
    position: int
    end: int
    portions: Iterator[Sequence[Message]]


class Restoring:
    """`step` until it says that all is restored. What is undecided in the changelogs is waited for here."""

    def __init__(
        self,
        transport: Transport,
        topology: Topology,
        task_id: TaskId,
        sub: SubTopology,
        places: list[Place],
        committed: Mapping[Place, Committed],
        state: TaskState,
    ) -> None:
        self.task_id = task_id
        self.sub = sub
        self.places = places
        self.state = state
        self.committed = committed
        self._transport = transport
        self._topology = topology
        self._reads = [read for spec in sub.stores if (read := self._begun(spec)) is not None]
        self.offsets = self.offsets_left
        """How many offsets there were to read; some of them are markers, or gone by compaction."""

    @property
    def offsets_left(self) -> int:
        return sum(read.end - read.position for read in self._reads)

    def step(self) -> bool:
        """Read one portion; whether all is restored."""
        if self._reads:
            read = self._reads[0]
            portion = next(read.portions, None)
            if portion is None:
                self.state.commit({}, {read.store: read.end})
                self._reads.pop(0)
            elif portion:
                read.position = portion[-1].offset() + 1
                rows = [(message.key() or b"", message.value()) for message in portion]
                self.state.commit({read.store: rows}, {read.store: read.position})
        return not self._reads

    def _begun(self, spec: StoreSpec) -> _Read | None:
        """None when the state has all that there is."""
        place, end = self._end(spec)
        start = goes_on_at(self.task_id, self.state, spec.name, self._transport.start_offset(place), end)
        return _Read(spec.name, start, end, self._transport.read(place, start, end)) if start < end else None

    def _end(self, spec: StoreSpec) -> tuple[Place, int]:
        """A topic that is its own changelog counts as far as it was processed."""
        partition = self.task_id.partition
        if spec.source is not None:
            committed = self.committed.get((spec.source, partition))
            return (spec.source, partition), 0 if committed is None else committed.offset
        place = (self._topology.changelog(spec.name), partition)
        return place, self._transport.stable_offset(place)


def goes_on_at(task_id: TaskId, state: TaskState, store: str, first: int, end: int | None = None) -> int:
    """The offset from which a store's changelog is to be read; a state that does not fit it is wiped."""
    start = state.offset(store)
    if start is not None and (start < first or (end is not None and start > end)):
        logger.warning("%s: the state of %s does not fit its changelog, and is restored anew", task_id, store)
        state.wipe(store)
        start = None
    return first if start is None else start
