"""Several transactional producers at once, two of them under one transactional id: what each may do, in any order.

    begin(slot=0)   add(slot=0, partition=1)   begin(slot=1)   append(slot=0, …)   end(slot=0, commit=True)   read(…)
                                               └ has the same id: the first one is fenced

The table `CALLS` says what may happen, how often, and with what: hypothesis draws from it, and so does a seed. Who is
told to ask later does so, as every client does: Kafka says that more often than Drave. After what ends a transaction
everybody waits until its markers are written.

Two things are not drawn. A transactional id whose producers speak both versions of transactions: what Kafka remembers
of a batch that it refused in one version makes it laxer in the other. And a fenced producer that asks InitProducerId to
go on: Kafka aborts the transaction of the one that took its place, Drave does not, and README says so.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from differential.calls import LATEST, batch, committed, fetch, fetch_partition, list_offsets, produce
from differential.scenario import versions_of
from differential.stage import Stage, Topic
from differential.writers import BUSY, TIMEOUT_MS, Writer, await_coordinator
from drave.wire.api import ApiKey
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest
from drave.wire.messages.k61_describe_producers import DescribeProducersRequest, TopicRequest
from drave.wire.messages.k65_describe_transactions import DescribeTransactionsRequest
from drave.wire.messages.k66_list_transactions import ListTransactionsRequest

PARTITIONS: Final = 2
CALLS_MAX: Final = 30
IDS: Final = ("old", "old", "new", "new")
"""Each slot's transactional id, which says what versions it speaks. Two of the same fence one another."""

RESUMES_SINCE: Final = 3
"""Of InitProducerId: versions in which a producer says who it was (KIP-360)."""
ENDS_WITH_A_NEW_EPOCH_SINCE: Final = 5


class Speech(NamedTuple):
    """Versions of the requests by which a broker tells one version of transactions from the other."""

    produce: Sequence[int]
    commit_offsets: Sequence[int]
    end: Sequence[int]


SPEECH: Final = {"old": Speech((3, 9, 11), range(5), (2, 4)), "new": Speech((12, 13), (5,), (5,))}


@dataclass
class Slot:
    """One producer, as far as it knows itself."""

    writer: Writer
    sequences: dict[int, int] = field(default_factory=dict)
    before: tuple[int, int] = (-1, -1)
    """Its id and epoch before its last transaction ended, for asking that once more."""
    speech: Speech = SPEECH["old"]
    replaced: bool = False

    def becomes(self, producer_id: int, epoch: int) -> None:
        if (producer_id, epoch) != (self.writer.id, self.writer.epoch):
            self.writer.id, self.writer.epoch = producer_id, epoch
            self.sequences.clear()


@dataclass
class Scene:
    """What the calls of one program share."""

    stage: Stage
    topic: Topic
    group: str
    slots: list[Slot]

    @classmethod
    def of(cls, stage: Stage) -> Scene:
        topic, group = stage.topic(partitions=PARTITIONS), stage.group()
        for word in dict.fromkeys(IDS):
            await_coordinator(stage, stage.name(word))
        slots = [Slot(Writer(stage, stage.name(word), -1, -1), speech=SPEECH[word]) for word in IDS]
        return cls(stage, topic, group, slots)

    def through(self) -> None:
        """Wait until every transaction that was decided is over."""
        names = list(dict.fromkeys(slot.writer.transactional_id for slot in self.slots))
        self.stage.wait(DescribeTransactionsRequest(transactional_ids=names), _is_through)


def _is_through(answer: Any) -> bool:
    return not any(each.transaction_state.startswith("Prepare") for each in answer.transaction_states)


# -- what producers do


def begin(scene: Scene, slot: int, resumes: bool, version: int) -> None:
    """A producer starts, or goes on after an error with what it was."""
    mine = scene.slots[slot]
    request = InitProducerIdRequest(transactional_id=mine.writer.transactional_id, transaction_timeout_ms=TIMEOUT_MS)
    if resumes and not mine.replaced and version >= RESUMES_SINCE:
        request.producer_id, request.producer_epoch = mine.writer.id, mine.writer.epoch
    answer = scene.stage.ask_again(request, lambda answer: answer.error_code not in BUSY, version)
    if not answer.error_code:
        mine.becomes(answer.producer_id, answer.producer_epoch)
        for other in scene.slots:
            if other.writer.transactional_id == mine.writer.transactional_id:
                other.replaced = other is not mine
    scene.through()


def add(scene: Scene, slot: int, partition: int, version: int) -> None:
    request = scene.slots[slot].writer.adding(scene.topic, partition)
    scene.stage.ask_again(request, lambda answer: not _added_later(answer), version)


def _added_later(answer: Any) -> bool:
    return any(
        each.partition_error_code in BUSY
        for topic in answer.results_by_topic_v3_and_below
        for each in topic.results_by_partition
    )


def append(scene: Scene, slot: int, partition: int, count: int, off: int, epochs: int, turn: int) -> None:
    """The next batch; or one whose sequence is off, or whose epoch is another."""
    mine = scene.slots[slot]
    writer, sequence = mine.writer, mine.sequences.get(partition, 0)
    data = batch(
        *["v"] * count,
        producer=(writer.id, max(writer.epoch + epochs, 0), max(sequence + off, 0)),
        transactional=True,
    )
    request = produce(scene.topic, {partition: data}, transactional_id=writer.transactional_id)
    versions = mine.speech.produce
    answer = scene.stage.ask_again(
        request, lambda answer: _produced(answer) not in BUSY, versions[turn % len(versions)]
    )
    if not _produced(answer) and not epochs and off == 0:
        mine.sequences[partition] = sequence + count


def _produced(answer: Any) -> int:
    return int(answer.responses[0].partition_responses[0].error_code)


def add_offsets(scene: Scene, slot: int, version: int) -> None:
    request = scene.slots[slot].writer.adding_offsets(scene.group)
    scene.stage.ask_again(request, lambda answer: answer.error_code not in BUSY, version)


def send_offsets(scene: Scene, slot: int, partition: int, offset: int, turn: int) -> None:
    writer, versions = scene.slots[slot].writer, scene.slots[slot].speech.commit_offsets
    scene.stage.ask_again(
        writer.offsets(scene.group, scene.topic, {partition: offset}),
        lambda answer: answer.topics[0].partitions[0].error_code not in BUSY,
        versions[turn % len(versions)],
    )


def end(scene: Scene, slot: int, commit: bool, epochs: int, turn: int) -> None:
    mine = scene.slots[slot]
    before, versions = (mine.writer.id, mine.writer.epoch), mine.speech.end
    version = versions[turn % len(versions)]
    answer = _end(scene, mine, (before[0], before[1] + epochs), commit, version)
    if not answer.error_code and not epochs:
        mine.before = before
        if version >= ENDS_WITH_A_NEW_EPOCH_SINCE:
            mine.becomes(answer.producer_id, answer.producer_epoch)


def end_again(scene: Scene, slot: int, commit: bool) -> None:
    """The answer to the last end was lost, or so the producer believes."""
    mine = scene.slots[slot]
    _end(scene, mine, mine.before, commit, mine.speech.end[-1])


def _end(scene: Scene, slot: Slot, producer: tuple[int, int], commit: bool, version: int) -> Any:
    request = slot.writer.ending(commit=commit)
    request.producer_id, request.producer_epoch = producer
    answer = scene.stage.ask_again(request, lambda answer: answer.error_code not in BUSY, version)
    scene.through()
    return answer


def append_plainly(scene: Scene, partition: int) -> None:
    """Nobody's transaction."""
    scene.stage.ask(produce(scene.topic, {partition: batch("plain")}))


# -- who looks


def read(scene: Scene, partition: int, offset: int, isolation: int, version: int) -> None:
    wanted = fetch_partition(offset, partition)
    scene.stage.ask(fetch(scene.topic, wanted, isolation_level=isolation), version)


def find_end(scene: Scene, partition: int, isolation: int, version: int) -> None:
    scene.stage.ask(list_offsets(scene.topic, LATEST, partition=partition, isolation=isolation), version)


def read_offsets(scene: Scene, partition: int, stable: bool) -> None:
    scene.stage.ask(committed(scene.group, scene.topic, partition, require_stable=stable))


def describe(scene: Scene) -> None:
    names = [scene.stage.name(word) for word in dict.fromkeys(IDS)]
    scene.stage.ask(DescribeTransactionsRequest(transactional_ids=names), mine=True)


def list_all(scene: Scene, states: tuple[str, ...], version: int) -> None:
    request = ListTransactionsRequest(state_filters=list(states), producer_id_filters=[])
    scene.stage.ask(request, version, mine=True)


def describe_producers(scene: Scene, partition: int) -> None:
    topics = [TopicRequest(name=scene.topic.name, partition_indexes=[partition])]
    scene.stage.ask(DescribeProducersRequest(topics=topics))


# -- all of it


class Kind(NamedTuple):
    """One kind of call: how often it comes, and what each of its arguments may be."""

    weight: int
    function: Callable[..., None]
    arguments: dict[str, Sequence[Any]]


def _kind(weight: int, function: Callable[..., None], **arguments: Sequence[Any]) -> Kind:
    return Kind(weight, function, arguments)


_SLOTS: Final = range(len(IDS))
_EACH: Final = range(PARTITIONS)
_BOTH: Final = (True, False)
_TURNS: Final = range(30)

CALLS: Final = (
    _kind(6, begin, slot=_SLOTS, resumes=_BOTH, version=(2, 4, 5)),
    _kind(6, add, slot=_SLOTS, partition=_EACH, version=versions_of(ApiKey.ADD_PARTITIONS_TO_TXN, until=3)),
    _kind(
        16,
        append,
        slot=_SLOTS,
        partition=_EACH,
        count=(1, 2),
        off=(0, 0, 0, 0, 0, 0, -1, 1),
        epochs=(0, 0, 0, 0, 0, 0, -1, 1),
        turn=_TURNS,
    ),
    _kind(2, add_offsets, slot=_SLOTS, version=versions_of(ApiKey.ADD_OFFSETS_TO_TXN)),
    _kind(
        4,
        send_offsets,
        slot=_SLOTS,
        partition=_EACH,
        offset=range(9),
        turn=_TURNS,
    ),
    _kind(10, end, slot=_SLOTS, commit=_BOTH, epochs=(0, 0, 0, 0, -1, 1), turn=_TURNS),
    _kind(2, end_again, slot=_SLOTS, commit=_BOTH),
    _kind(1, append_plainly, partition=_EACH),
    _kind(4, read, partition=_EACH, offset=(0, 0, 1, 2, 3, 5), isolation=(0, 1, 1), version=(4, 11, 12, 17)),
    _kind(3, find_end, partition=_EACH, isolation=(0, 1, 1), version=(4, 7)),
    _kind(2, read_offsets, partition=_EACH, stable=_BOTH),
    _kind(2, describe),
    _kind(1, list_all, states=((), ("Ongoing",), ("CompleteCommit", "Empty")), version=(0, 1, 2)),
    _kind(2, describe_producers, partition=_EACH),
)

Call = Callable[[Scene], None]

BY_WEIGHT: Final = tuple(kind for kind in CALLS for _ in range(kind.weight))


def drawn(seed: int) -> Iterator[Call]:
    """A program that is the same for ever: all comes from `Random.random`, which Python keeps as it is."""
    chance = random.Random(seed)

    def pick(items: Sequence[Any]) -> Any:
        return items[int(chance.random() * len(items))]

    for _ in range(CALLS_MAX):
        kind = pick(BY_WEIGHT)
        yield partial(kind.function, **{name: pick(values) for name, values in kind.arguments.items()})


def play(stage: Stage, calls: Iterable[Call]) -> None:
    """Every producer begins, one call follows the other, and at the end everything is looked at."""
    scene = Scene.of(stage)
    for slot in _SLOTS:
        begin(scene, slot, resumes=False, version=4)
    for call in calls:
        call(scene)
    describe(scene)
    for partition in _EACH:
        describe_producers(scene, partition)
        for isolation in (0, 1):
            find_end(scene, partition, isolation, 7)
        read(scene, partition, 0, 1, 17)
        read_offsets(scene, partition, True)
