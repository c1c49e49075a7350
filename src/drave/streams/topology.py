"""The steps of an app as a graph, cut into sub-topologies.

    requests ─ filter ─ key by ─ [app-requests-by-zone-repartition] ─ windows ─ final ─ map ─ quotes
    └────────── requests ─────────┘└────────────────── requests-by-zone ──────────────────────┘

A sub-topology is what one task can run: steps that hang together without a topic in between. It has one task for each
partition, so all its topics must have as many: checked at the start, with names. Nothing here runs; a `Topology` can be
printed, drawn (`drawing.py`) and tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from drave.streams.errors import BadTopology
from drave.streams.instances import instances_topic
from drave.streams.state import StoreSpec
from drave.streams.steps.base import OnError, Output, Step, Topic
from drave.streams.steps.sources import Repartition, Sink, Source
from drave.streams.transport import NewTopic

_CHANGELOG_CONFIGS = {"cleanup.policy": "compact"}
_KEPT_CONFIGS = {"retention.ms": "-1"}


@dataclass(frozen=True, eq=False, repr=False)
class SubTopology:
    """Steps that run together, in an order in which parents come first."""

    name: str
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        return f"<SubTopology {self.name}: {len(self.steps)} steps>"

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        return tuple(step for step in self.steps if isinstance(step, Source))

    @cached_property
    def topics(self) -> tuple[str, ...]:
        """What it reads, once each."""
        return tuple(dict.fromkeys(source.topic.name for source in self.sources))

    @cached_property
    def stores(self) -> tuple[StoreSpec, ...]:
        return tuple(spec for step in self.steps for spec in step.stores)

    @cached_property
    def children(self) -> Mapping[Step, tuple[tuple[str, Step, int], ...]]:
        """For each step the port, the child, and which of the child's parents it is."""
        found: dict[Step, list[tuple[str, Step, int]]] = {step: [] for step in self.steps}
        for step in self.steps:
            for index, parent in enumerate(step.parents):
                if parent.step in found:
                    found[parent.step].append((parent.port, step, index))
        return {step: tuple(children) for step, children in found.items()}

    @cached_property
    def lags(self) -> Mapping[Step, int]:
        """By how much the watermark at each step is behind the task's."""
        lags: dict[Step, int] = {}
        for step in self.steps:
            lags[step] = max((_lag_through(parent, lags) for parent in step.parents), default=0)
        return lags


@dataclass(frozen=True, eq=False, repr=False)
class Topology:
    """All steps of an app. Raises BadTopology for what cannot run."""

    app: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        seen: dict[str, Step] = {}
        for step in self.steps:
            other = seen.setdefault(step.name, step)
            if other is not step:
                raise BadTopology(
                    f"two steps are named {step.name!r} (a {other.kind} and a {step.kind}); give one of them name="
                )
        for sub in self.subs:
            for step in sub.steps:
                if not step.parents and not isinstance(step, Source):
                    raise BadTopology(f"{step.name} has nothing to read")

    def __repr__(self) -> str:
        return f"<Topology {self.app}: {len(self.steps)} steps>"

    def __str__(self) -> str:
        from drave.streams.drawing import as_text

        return as_text(self)

    @cached_property
    def subs(self) -> tuple[SubTopology, ...]:
        """In the order of their first steps."""
        return tuple(_connected(self.steps))

    @cached_property
    def upstream(self) -> Mapping[str, SubTopology]:
        """For each repartition topic the sub-topology that writes it."""
        return {step.topic.name: sub for sub in self.subs for step in sub.steps if isinstance(step, Repartition)}

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Every topic that is read, the app's own included."""
        return tuple(dict.fromkeys(topic for sub in self.subs for topic in sub.topics))

    @cached_property
    def outputs(self) -> tuple[Topic, ...]:
        return tuple({step.topic.name: step.topic for step in self.steps if isinstance(step, Sink)}.values())

    def changelog(self, store: str) -> str:
        return f"{self.app}-{store}-changelog"

    @property
    def dead_letters(self) -> str:
        return f"{self.app}-dead-letters"

    @property
    def instances(self) -> NewTopic:
        return instances_topic(self.app)

    def partitions(self, existing: Mapping[str, int]) -> dict[SubTopology, int]:
        """How many tasks each sub-topology has, given the partitions of the topics that exist. Raises BadTopology."""
        counts: dict[SubTopology, int] = {}
        for sub in self._upstream_first():
            found: dict[str, int] = {}
            for topic in sub.topics:
                if topic in existing:
                    found[topic] = existing[topic]
                elif topic not in self.upstream:
                    raise BadTopology(
                        f"the topic {topic} does not exist; create it, or give it partitions= in app.topic()"
                    )
            if len(set(found.values())) > 1:
                told = ", ".join(f"{topic} has {count}" for topic, count in found.items())
                raise BadTopology(
                    f"what is joined or merged must have equally many partitions: {told}; "
                    "use group_by() to bring one of them to the other's"
                )
            wanted = [counts[self.upstream[topic]] for topic in sub.topics if topic in self.upstream]
            counts[sub] = next(iter(found.values()), max(wanted, default=1))
        return counts

    @property
    def own_topics(self) -> list[str]:
        """Changelogs, dead letters, instances: what the app makes and does not read as a stream."""
        stores = [spec for sub in self.subs for spec in sub.stores if spec.source is None]
        return [*(self.changelog(spec.name) for spec in stores), self.dead_letters, self.instances.name]

    def new_topics(self, existing: Mapping[str, int], on_error: OnError, *, instances: bool = False) -> list[NewTopic]:
        """What the app has to make before it starts: its own topics, and what it writes to. Raises BadTopology.

        `instances`: whether its processes announce themselves.
        """
        wanted: dict[str, NewTopic] = {}
        for source in (step.topic for step in self.steps if isinstance(step, Source | Sink)):
            if source.name not in existing and source.partitions is not None:
                wanted[source.name] = NewTopic(source.name, source.partitions)
        known = {**existing, **{topic.name: topic.partitions for topic in wanted.values()}}
        for sub, partitions in self.partitions(known).items():
            for topic in sub.topics:
                if topic in self.upstream:
                    wanted[topic] = NewTopic(topic, partitions, _KEPT_CONFIGS)
            for spec in (spec for spec in sub.stores if spec.source is None):
                name = self.changelog(spec.name)
                wanted[name] = NewTopic(name, partitions, _CHANGELOG_CONFIGS)
            for name in (step.topic.name for step in sub.steps if isinstance(step, Sink)):
                wanted.setdefault(name, NewTopic(name, partitions))
        if OnError.DEAD_LETTER in {on_error, *(step.on_error for step in self.steps)}:
            wanted[self.dead_letters] = NewTopic(self.dead_letters, 1, _KEPT_CONFIGS)
        if instances:
            wanted[self.instances.name] = self.instances
        return [topic for topic in wanted.values() if topic.name not in existing]

    def _upstream_first(self) -> Iterator[SubTopology]:
        done: set[SubTopology] = set()
        waiting = list(self.subs)
        while waiting:
            ready = [
                sub
                for sub in waiting
                if all(self.upstream[topic] in done for topic in sub.topics if topic in self.upstream)
            ]
            if not ready:
                raise BadTopology(f"the steps of {waiting[0].name} wait for each other in a circle")
            yield from ready
            done.update(ready)
            waiting = [sub for sub in waiting if sub not in done]


def _lag_through(parent: Output, lags: Mapping[Step, int]) -> int:
    return lags.get(parent.step, 0) + parent.step.delay_ms(parent.port)


def _connected(steps: Iterable[Step]) -> Iterator[SubTopology]:
    """Steps that share parents, children or a topic; a repartition topic's reader hangs on nothing upstream."""
    steps = tuple(steps)
    group: dict[Step, int] = {step: index for index, step in enumerate(steps)}

    def merge(one: Step, other: Step) -> None:
        gone, kept = sorted((group[one], group[other]), reverse=True)
        if gone != kept:
            for step, number in group.items():
                if number == gone:
                    group[step] = kept

    readers: dict[str, Step] = {}
    for step in steps:
        for parent in step.parents:
            merge(step, parent.step)
        if isinstance(step, Source):
            merge(step, readers.setdefault(step.topic.name, step))
    for number in sorted(set(group.values())):
        members = tuple(step for step in steps if group[step] == number)
        topics = dict.fromkeys(step.topic.name for step in members if isinstance(step, Source))
        yield SubTopology("+".join(topics), members)
