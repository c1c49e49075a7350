"""Random programs: hypothesis draws a sequence of calls, and both brokers must be seen to answer it alike.

    [Produce(0, "ab", 3), Fetch(0, 1), DeleteRecords(0, 1), ListOffsets(0, -2), …]

A program that shows a difference is made as short as it gets before it is printed; the same `--seed` draws the same
programs. What differs on purpose is not drawn, or has its reason in `differences` under `programs/…`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from differential import interleaving
from differential.calls import (
    LONG_AGO_MS,
    batch,
    commit,
    committed,
    delete_records,
    fetch,
    fetch_partition,
    join,
    list_offsets,
    produce,
    sync,
)
from differential.compare import Difference, differences
from differential.differences import ON_PURPOSE
from differential.judging import Judge
from differential.play import Player
from differential.scenario import Case, versions_of
from differential.stage import Stage, Topic
from drave.records import Codec
from drave.wire.api import ApiKey
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from drave.wire.messages.k13_leave_group import LeaveGroupRequest
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest

PARTITIONS: Final = 2
CALLS_MAX: Final = 12


@dataclass
class Scene:
    """What the calls of one program share."""

    stage: Stage
    topic: Topic
    group: str
    producer: int = -1
    members: list[str] = field(default_factory=list)
    generation: int = 0

    def member(self, number: int) -> str:
        """One of those who were given an id; a made-up name where there are not so many."""
        return self.members[number] if number < len(self.members) else "nobody"


Call: TypeAlias = Callable[[Scene], None]


class Program(list[tuple[str, Callable[[Any], None]]]):
    """Calls, each with the words that make it again."""

    def __repr__(self) -> str:
        return "\n".join(f"    {words}" for words, _ in self)


def _call(function: Callable[..., None], **arguments: Any) -> tuple[str, Call]:
    words = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"{function.__name__}({words})", partial(function, **arguments)


def _drawn(function: Callable[..., None], **strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Call]]:
    return st.builds(partial(_call, function), **strategies)


def _version(key: ApiKey, since: int = 0) -> st.SearchStrategy[int]:
    return st.sampled_from(versions_of(key, since))


# -- records


def append(scene: Scene, partition: int, values: list[str], version: int, codec: Codec, after_ms: int) -> None:
    data = batch(*values, codec=codec, time_ms=LONG_AGO_MS + after_ms)
    scene.stage.ask(produce(scene.topic, {partition: data}), version)


def append_in_sequence(scene: Scene, partition: int, count: int, epoch: int, sequence: int, version: int) -> None:
    data = batch(*["v"] * count, producer=(scene.producer, epoch, sequence))
    scene.stage.ask(produce(scene.topic, {partition: data}), version)


def read(scene: Scene, partition: int, offset: int, bytes_max: int, version: int) -> None:
    wanted = fetch_partition(offset, partition, partition_max_bytes=bytes_max)
    scene.stage.ask(fetch(scene.topic, wanted), version)


def find(scene: Scene, partition: int, timestamp: int, version: int) -> None:
    scene.stage.ask(list_offsets(scene.topic, timestamp, partition=partition), version)


def cut(scene: Scene, partition: int, offset: int, version: int) -> None:
    scene.stage.ask(delete_records(scene.topic, {partition: offset}), version)


def note_offset(scene: Scene, partition: int, offset: int, version: int) -> None:
    scene.stage.ask(commit(scene.group, scene.topic, {partition: offset}), version)


def read_offsets(scene: Scene, partition: int, version: int) -> None:
    scene.stage.ask(committed(scene.group, scene.topic, partition), version)


_partition: Final = st.integers(0, PARTITIONS)
_offset: Final = st.integers(-1, 12)

RECORDS: Final = (
    _drawn(
        append,
        partition=_partition,
        values=st.lists(st.text("ab", max_size=3), min_size=1, max_size=4),
        version=_version(ApiKey.PRODUCE, since=7),
        codec=st.sampled_from(Codec),
        after_ms=st.integers(0, 20),
    ),
    _drawn(
        append_in_sequence,
        partition=_partition,
        count=st.integers(1, 3),
        epoch=st.integers(0, 1),
        sequence=st.integers(0, 6),
        version=_version(ApiKey.PRODUCE),
    ),
    _drawn(
        read,
        partition=_partition,
        offset=_offset,
        bytes_max=st.sampled_from([0, 1, 100, 1 << 20]),
        version=_version(ApiKey.FETCH),
    ),
    _drawn(
        find,
        partition=_partition,
        timestamp=st.sampled_from([-1, -2]) | st.integers(LONG_AGO_MS, LONG_AGO_MS + 21),
        version=_version(ApiKey.LIST_OFFSETS),
    ),
    _drawn(cut, partition=_partition, offset=_offset, version=_version(ApiKey.DELETE_RECORDS)),
    _drawn(note_offset, partition=_partition, offset=_offset, version=_version(ApiKey.OFFSET_COMMIT)),
    _drawn(read_offsets, partition=_partition, version=_version(ApiKey.OFFSET_FETCH)),
)


# -- members. One at a time, so that no join waits for another: a group waits for everybody who was given an id.


def come(scene: Scene, version: int) -> None:
    """Somebody new is given an id, where nobody is."""
    if not scene.members:
        scene.members.append(scene.stage.ask(join(scene.group), version).member_id)


def join_alone(scene: Scene, protocol: str, version: int) -> None:
    answer = scene.stage.ask(join(scene.group, scene.member(0), protocols=(protocol,)), version)
    scene.generation = max(scene.generation, answer.generation_id)


def assign(scene: Scene, member: int, back: int, version: int, protocol: str) -> None:
    who = scene.member(member)
    request = sync(scene.group, scene.generation - back, who, {scene.member(0): b"x"}, protocol_name=protocol)
    scene.stage.ask(request, version)


def beat(scene: Scene, member: int, back: int, version: int) -> None:
    who = scene.member(member)
    scene.stage.ask(
        HeartbeatRequest(group_id=scene.group, generation_id=scene.generation - back, member_id=who), version
    )


def leave(scene: Scene, member: int, version: int) -> None:
    answer = scene.stage.ask(LeaveGroupRequest(group_id=scene.group, member_id=scene.member(member)), version)
    if not answer.error_code:
        scene.members.clear()


def commit_as(scene: Scene, member: int, back: int, offset: int, version: int) -> None:
    generation = scene.generation - back
    request = commit(scene.group, scene.topic, {0: offset}, generation=generation, member=scene.member(member))
    scene.stage.ask(request, version)


def describe(scene: Scene, version: int) -> None:
    scene.stage.ask(DescribeGroupsRequest(groups=[scene.group]), version)


_member: Final = st.integers(0, 1)
_back: Final = st.integers(-1, 2)
_protocol: Final = st.sampled_from(["range", "sticky"])

MEMBERS: Final = (
    _drawn(come, version=_version(ApiKey.JOIN_GROUP, since=4)),
    _drawn(join_alone, protocol=_protocol, version=_version(ApiKey.JOIN_GROUP, since=4)),
    _drawn(assign, member=_member, back=_back, version=_version(ApiKey.SYNC_GROUP), protocol=_protocol),
    _drawn(beat, member=_member, back=_back, version=_version(ApiKey.HEARTBEAT)),
    _drawn(leave, member=_member, version=st.integers(0, 2)),
    _drawn(commit_as, member=_member, back=_back, offset=_offset, version=_version(ApiKey.OFFSET_COMMIT)),
    _drawn(read_offsets, partition=st.just(0), version=_version(ApiKey.OFFSET_FETCH)),
    _drawn(describe, version=_version(ApiKey.DESCRIBE_GROUPS)),
)

TRANSACTIONS: Final = st.sampled_from(interleaving.BY_WEIGHT).flatmap(
    lambda kind: _drawn(kind.function, **{name: st.sampled_from(values) for name, values in kind.arguments.items()})
)


class Kind(NamedTuple):
    """What programs are made of, how many calls there are at most, and how they are played."""

    calls: st.SearchStrategy[tuple[str, Callable[[Any], None]]]
    calls_max: int
    play: Callable[[Stage, Iterable[Callable[[Any], None]]], None]


def _play(stage: Stage, calls: Iterable[Call]) -> None:
    scene = Scene(stage, stage.topic(partitions=PARTITIONS), stage.group())
    scene.producer = stage.ask(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)).producer_id
    for call in calls:
        call(scene)


KINDS: Final = {
    "records": Kind(st.one_of(RECORDS), CALLS_MAX, _play),
    "members": Kind(st.one_of(MEMBERS), CALLS_MAX, _play),
    "transactions": Kind(TRANSACTIONS, interleaving.CALLS_MAX, interleaving.play),
}


class Differs(AssertionError):
    """A program that both brokers did not answer alike."""

    def __init__(self, program: Program, found: Sequence[Difference]) -> None:
        self.program = program
        self.found = found

    def __str__(self) -> str:
        return "\n".join([repr(self.program), *(f"        {difference}" for difference in self.found)])


def run(kafka: Player, drave: Player, *, kind: str, count: int, number: int) -> Differs | None:
    """Play `count` programs on both. The shortest one that differs, if one does."""
    calls, calls_max, play = KINDS[kind]
    programs = st.lists(calls, min_size=1, max_size=calls_max).map(Program)
    judge = Judge(ON_PURPOSE)

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(program=programs)
    def both_answer_alike(program: Program) -> None:
        case = Case(f"programs/{kind}", lambda stage: play(stage, [call for _, call in program]))
        found = judge.unexplained(case.name, differences(case.name, kafka.play(case), drave.play(case)))
        if found:
            raise Differs(program, found)

    try:
        both_answer_alike()
    except Differs as differs:
        return differs
    return None
