"""A broker's logs on a simulated disk, beside a model that knows what they may be after a crash.

    World(seed)   a catalog that survives everything, logs that do not, and for each partition a History

What happens is drawn from the seed: appends (plain, idempotent and in transactions, small and large, sent again),
transactions that end, commits and chores that are begun, run and entered at different moments, new log starts,
retention, rolls, full disks, topics that come and go under one name, clean stops, power cuts and kills in the middle of
any disk call, also during recovery.

The model's law: what was acknowledged is there; what is there was sent, with the offset it was given, in order; the
log starts where it was told to, or a little earlier when nobody was told yet; producers are what the batches say. So
is the last stable offset, which never goes back, and who reads what is committed is told of what was aborted there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from drave import records
from drave.log import Logs, PartitionLog, StorageError
from drave.log.flusher import Work
from drave.log.housekeeping import free_segments
from drave.model.ids import TopicId
from drave.model.log_config import LogConfig
from drave.model.storage_settings import StorageSettings
from drave.records import ControlKind
from drave.store.disk import read_whole
from drave.store.names import METADATA, decode_metadata
from drave.testing.disk import PowerCut, SimulatedDisk
from tests.log.history import History, decided, facts, placed

T = TypeVar("T")
Key = tuple[TopicId, int]

ROOT = Path("/data")
NAMES = ("rides", "cars")
IDEMPOTENT = (0, 1, 2)
TRANSACTIONAL = (10, 11, 12)


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits: on a simulated disk none does."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waits for something")


class HandClock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return self.now_ms / 1000


@dataclass(frozen=True)
class Topic:
    name: str
    topic_id: TopicId
    partitions: int
    config: LogConfig


class World:
    """One seed's world."""

    def __init__(self, seed: int, *, durability: str | None = None) -> None:
        self.seed = seed
        self.chance = chance = random.Random(seed)
        self.disk = SimulatedDisk(seed)
        self.clock = HandClock()
        self.durability = durability or chance.choice(("fsync", "fsync", "fsync", "os"))
        self.settings = StorageSettings(
            durability=self.durability,
            journal_bytes_max=chance.choice((16, 24, 48)) * 1024,
            journal_fill_bytes=chance.choice((0, 2048, 8192)),
            journal_entry_bytes_max=chance.choice((1024, 4096)),
            direct_bytes_per_file=chance.choice((200, 1500, 1 << 20)),
            checkpoint_bytes=chance.choice((4096, 16384, 1 << 20)),
            checkpoint_batches=chance.choice((10, 40, 1000)),
            open_segments_max=chance.choice((2, 4, 100)),
            retention_check_interval_ms=5_000,
        )
        self.topics: dict[TopicId, Topic] = {}
        self.tombstones: set[TopicId] = set()
        self.histories: dict[Key, History] = {}
        self.deleted: dict[Key, int] = {}
        """Where somebody wants a log to begin, until it does."""
        self.logs: Logs | None = None
        self.flying: list[Work] = []
        self.lives = 0
        self._next_id = 0
        self.temper = {happen: weight * chance.choice((0.2, 1, 1, 5)) for happen, weight in self.usual().items()}
        for name in NAMES:
            self.create_topic(name)

    def usual(self) -> dict[Callable[[], None], float]:
        """How often things happen; each world exaggerates some of it."""
        return {
            self.append: 40,
            self.end_transaction: 7,
            self.work: 45,
            self.settle: 3,
            self.send_again: 3,
            self.refused_append: 1,
            self.move_start: 3,
            self.keep_house: 2,
            self.change_topics: 0.7,
            self.fill_disk: 0.7,
            self.make_room: 3,
            self.read_somewhere: 3,
            self.reopen: 0.7,
        }

    # -- the catalog: whatever it says has been committed

    def create_topic(self, name: str) -> None:
        self._next_id += 1
        chance = self.chance
        topic = Topic(name, TopicId(self._next_id.to_bytes(16, "big")), chance.randrange(1, 3), self.new_config())
        self.topics[topic.topic_id] = topic
        for index in range(topic.partitions):
            self.histories[topic.topic_id, index] = History()
        if self.logs is not None:
            self.logs.add_topic(topic)

    def new_config(self) -> LogConfig:
        """How the next topic is kept."""
        chance = self.chance
        return LogConfig(
            segment_bytes=chance.choice((500, 1500, 6000, 1 << 20)),
            index_interval_bytes=chance.choice((60, 400, 4096)),
            segment_index_bytes=chance.choice((60, 4096)),
            segment_ms=chance.choice((20_000, 10_000_000)),
            retention_ms=chance.choice((-1, 60_000)),
            retention_bytes=chance.choice((-1, -1, 3000)),
        )

    def delete_topic(self, topic: Topic) -> None:
        del self.topics[topic.topic_id]
        self.tombstones.add(topic.topic_id)
        for index in range(topic.partitions):
            del self.histories[topic.topic_id, index]
            self.deleted.pop((topic.topic_id, index), None)
        if self.logs is not None:
            self.logs.remove_topic(topic.topic_id)

    # -- lives

    def open(self) -> None:
        """Start; raises PowerCut when the power goes meanwhile."""
        self.flying = []
        self.deleted = {}
        self.logs = None
        logs = Logs.open(
            ROOT,
            disk=self.disk,
            clock=self.clock,
            settings=self.settings,
            topics=self.topics.values(),
            tombstones=self.tombstones,
        )
        self.logs = logs
        logs.on_forgotten(self.tombstones.discard)
        self.lives += 1

    def close(self) -> None:
        assert self.logs is not None
        while self.flying:
            self.enter(self.flying.pop(0))
        finish(self.logs.close())
        self.note()

    def crash(self, *, kill: bool) -> None:
        if kill:
            self.disk.kill()
        else:
            self.disk.power_cut()

    # -- what happens

    def log(self, key: Key) -> PartitionLog:
        assert self.logs is not None
        log = self.logs.partition(*key)
        assert log is not None, "the catalog has it"
        return log

    def any_key(self) -> Key:
        return self.chance.choice(list(self.histories))

    def append(self) -> None:
        chance = self.chance
        key = self.any_key()
        history, log = self.histories[key], self.log(key)
        producer_id, epoch, sequence = -1, -1, -1
        if chance.random() < 0.6:
            producer_id = chance.choice(IDEMPOTENT + TRANSACTIONAL)
            epoch, sequence = history.sequences.get(producer_id, (0, 0))
            if chance.random() < 0.1 and producer_id not in TRANSACTIONAL:
                epoch, sequence = epoch + 1, 0
        count = chance.choice((1, 1, 2, 5))
        batch = self.new_batch(
            count,
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=sequence,
            transactional=producer_id in TRANSACTIONAL,
        )
        header = records.parse_header(batch)
        sent = placed(batch, log)
        try:
            appended = log.append(memoryview(batch), header, now_ms=self.clock.now_ms)
        except StorageError:
            history.refused.append(sent)
            return
        except PowerCut:
            history.batches.append(sent)  # nobody was told, but it may be there
            raise
        assert not appended.duplicate
        assert (appended.base_offset, appended.end) == (sent.base, sent.end) == (sent.base, log.end)
        history.batches.append(sent)
        history.appended = sent.end
        if producer_id >= 0:
            history.sequences[producer_id] = (epoch, sequence + count)

    def new_batch(self, count: int, **producer: Any) -> bytes:
        """A batch of so many records, whatever they are."""
        chance = self.chance
        size = chance.choice((0, 10, 100, 700, 3000)) // count
        return records.build_batch(
            [(None, chance.randbytes(chance.randrange(size + 1))) for _ in range(count)],
            timestamp_ms=self.clock.now_ms + chance.randrange(-3000, 3000),
            **producer,
        )

    def end_transaction(self) -> None:
        """A coordinator commits or aborts, now and then what is not open; with the transaction's epoch, or the next."""
        chance = self.chance
        key = self.any_key()
        history, log = self.histories[key], self.log(key)
        began = list(history.transactions(log.end)[0])
        if not began and chance.random() < 0.8:
            return
        producer_id = chance.choice(began or TRANSACTIONAL)
        version = chance.choice((1, 2)) if began else 1
        epoch, sequence = history.sequences.get(producer_id, (0, 0))
        if version == 2:
            epoch, sequence = epoch + 1, 0
        kind = chance.choice((ControlKind.COMMIT, ControlKind.ABORT, ControlKind.ABORT))
        sent = placed(records.control_batch(kind, producer_id, epoch, self.lives, self.clock.now_ms), log)
        try:
            appended = log.append_marker(
                kind, producer_id, epoch, self.lives, now_ms=self.clock.now_ms, transaction_version=version
            )
        except StorageError:
            history.refused.append(sent)
            return
        except PowerCut:
            history.batches.append(sent)
            raise
        assert (appended.base_offset, appended.end) == (sent.base, sent.end)
        history.batches.append(sent)
        history.appended = sent.end
        history.sequences[producer_id] = (epoch, sequence)

    def send_again(self) -> None:
        """One of a producer's last five batches comes again: it is recognised, and nothing is appended."""
        key = self.any_key()
        log = self.log(key)
        for producer_id, (epoch, batches) in facts(self.histories[key].producers(log.end)).items():
            if not batches:
                continue
            sent = self.chance.choice(batches)
            attributes = records.TRANSACTIONAL if producer_id in TRANSACTIONAL else 0
            header = records.BatchHeader(
                0, 49, -1, 2, 0, attributes, sent.last_offset - sent.base_offset, 0, 0, producer_id, epoch,
                sent.base_sequence, sent.last_offset - sent.base_offset + 1,
            )  # fmt: skip
            end = log.end
            appended = log.append(bytes(61), header, now_ms=self.clock.now_ms)
            assert appended.duplicate, f"a batch of producer {producer_id} was taken twice"
            assert (appended.base_offset, log.end) == (sent.base_offset, end)

    def refused_append(self) -> None:
        """A write that the disk refuses, in the middle or before: it leaves no trace."""
        key = self.any_key()
        log = self.log(key)
        before = log.end
        batch = records.build_batch([(None, self.chance.randbytes(300))], timestamp_ms=self.clock.now_ms)
        self.disk.failing_writes = 1
        try:
            log.append(batch, records.parse_header(batch), now_ms=self.clock.now_ms)
        except StorageError:
            assert log.end == before
            self.histories[key].refused.append(placed(batch, log))
        except PowerCut:
            self.histories[key].batches.append(placed(batch, log))
            raise
        else:  # it was another write that failed, of something that can wait
            self.histories[key].batches.append(placed(batch, log, at=before))
            self.histories[key].appended = log.end
        finally:
            self.disk.failing_writes = 0

    def work(self) -> None:
        """Begin a commit or a chore, or let one that was begun run and be entered."""
        assert self.logs is not None
        flusher = self.logs.flusher
        if self.flying and self.chance.random() < 0.6:
            self.enter(self.flying.pop(self.chance.randrange(len(self.flying))))
            return
        next_work = self.chance.choice((flusher.next_commit, flusher.next_chore))
        if (work := next_work()) is not None:
            self.flying.append(work)

    def enter(self, work: Work) -> None:
        work.run()
        work.finish()
        self.note()

    def settle(self) -> None:
        """Everything that waits is done."""
        assert self.logs is not None
        while self.flying:
            self.enter(self.flying.pop(0))
        self.logs.flush()
        self.note()

    def note(self) -> None:
        """What a client could know by now."""
        assert self.logs is not None
        for key, history in self.histories.items():
            log = self.log(key)
            history.acknowledged = max(history.acknowledged, log.high_watermark)
            self.check_stable(key)
            history.start = max(history.start, log.start)
            history.checkpointed = max(history.checkpointed, log.points.offset)
            history.epoch = log.leader_epoch
            if self.deleted.get(key, log.start + 1) <= log.start:
                del self.deleted[key]
                free_segments(log, self.logs._shared)

    def check_stable(self, key: Key) -> None:
        log, history = self.log(key), self.histories[key]
        where = f"seed {self.seed}, life {self.lives}, {log!r}"
        assert log.last_stable == history.stable_at(log.high_watermark, log.start), where
        assert log.last_stable >= history.stable, f"{where}: the last stable offset went back from {history.stable}"
        history.stable = log.last_stable

    def move_start(self) -> None:
        key = self.any_key()
        log, history = self.log(key), self.histories[key]
        start = self.chance.randrange(log.start, log.high_watermark + 1)
        if start > log.start:
            history.start_asked = max(history.start_asked, start)
            self.deleted[key] = start
            log.move_start(start)

    def keep_house(self) -> None:
        assert self.logs is not None
        self.clock.now_ms += self.chance.choice((10, 10_000, 70_000))
        for key, history in self.histories.items():
            history.start_asked = max(history.start_asked, self.log(key).high_watermark)
        self.logs.keep_house(self.clock.now_ms)

    def change_topics(self) -> None:
        topic = self.chance.choice(list(self.topics.values()))
        try:
            self.delete_topic(topic)
        finally:  # the catalog goes on when the power is cut in the middle of it
            self.create_topic(topic.name)

    def fill_disk(self) -> None:
        self.disk.room_bytes = self.chance.choice((0, 200, 3000))

    def make_room(self) -> None:
        self.disk.room_bytes = None
        self.clock.now_ms += 2000

    def step(self) -> None:
        """One thing happens."""
        self.chance.choices(list(self.temper), list(self.temper.values()))[0]()

    def reopen(self) -> None:
        self.make_room()
        epochs = {key: self.log(key).leader_epoch for key in self.histories}
        ends = {key: self.log(key).end for key in self.histories}
        self.close()
        self.open()
        assert {key: self.log(key).leader_epoch for key in self.histories} == epochs, "the stop was clean"
        assert {key: self.log(key).end for key in self.histories} == ends
        self.check()

    # -- the judge

    def check(self, *, kill: bool = False) -> None:
        """The logs, which have just been opened, against the model; the model takes over what was lost lawfully."""
        assert self.logs is not None
        for folder in self.logs.report.strangers:
            owner = decode_metadata(read_whole(self.disk, folder / METADATA))
            assert owner is None, f"seed {self.seed}: {folder} says whose it is"
        for key, history in self.histories.items():
            log = self.log(key)
            where = f"seed {self.seed}, life {self.lives}, {log!r}"
            if self.durability == "os" and log.end == log.start and not kill:
                history.batches = []  # all of it was lost but the news of its start
                history.known = log.producers.snapshot()
            held = (
                history.appended
                if kill
                else (history.acknowledged if self.durability == "fsync" else history.checkpointed)
            )
            assert log.end >= held, f"{where}: {held} was promised"
            assert log.high_watermark == log.end, where
            assert log.start >= history.start, f"{where}: the start went back from {history.start}"
            assert log.start <= max(history.start, history.start_asked), f"{where}: nobody asked for that start"
            self.check_content(key, where)
            assert facts(log.producers) == facts(history.producers(log.end)), where
            assert decided(log.producers) == decided(history.producers(log.end)), where
            if self.durability == "os":
                history.stable = 0  # what was seen may be lost there
            self.check_stable(key)
            self.check_aborted(key, log.start)
            if not self.logs.report.clean:
                assert log.leader_epoch > history.epoch, f"{where}: clients cannot tell that it crashed"
            history.cut(log.end)
            history.acknowledged = history.appended = log.end
            history.start = history.start_asked = log.start
            history.epoch = log.leader_epoch

    def check_content(self, key: Key, where: str) -> None:
        """Every byte was sent, what was acknowledged is what was, and offsets have no gap."""
        log, history = self.log(key), self.histories[key]
        sent = {batch.data: batch for batch in history.refused + history.batches}
        found = self.content(key)
        assert all(data in sent for data in found), f"{where}: something is there that nobody sent"
        held = [sent[data] for data in found]
        for before, after in pairwise(held):
            assert before.end == after.base, f"{where}: a gap before {after.base}"
        if held:
            assert held[0].base <= log.start < held[0].end, where
            assert held[-1].end == log.end, where
        else:
            assert log.start == log.end, where
        known = min(history.acknowledged, log.end) if self.durability == "fsync" else 0
        promised = [batch.data for batch in history.batches if log.start < batch.end <= known]
        assert found[: len(promised)] == promised, f"{where}: something else than what was acknowledged"
        first = held[0].base if held else log.start
        history.batches = [batch for batch in history.batches if batch.end <= first] + held

    def check_aborted(self, key: Key, start: int) -> None:
        """Who reads what is committed is told of every aborted transaction in what it reads, and of no other."""
        log, history = self.log(key), self.histories[key]
        aborted = history.transactions(log.high_watermark)[1]
        at = start
        while at < log.last_stable:
            batches = log.read_now(
                at,
                bytes_max=self.chance.choice((1, 500, 100_000)),
                limit=log.last_stable,
                whole_first=True,
                committed=True,
            )
            assert batches is not None
            end = max(header.last_offset + 1 for part in batches.parts for header, _ in records.split(part))
            told = [(each.producer_id, each.first_offset, each.last_offset) for each in batches.aborted]
            expected = [each for each in aborted if each[1] < end and each[2] >= at]
            assert told == sorted(expected, key=lambda each: each[1]), f"seed {self.seed}, {log!r}: {at} to {end}"
            at = end

    def content(self, key: Key) -> list[bytes]:
        """Every batch of a partition, read from its start to its end."""
        log = self.log(key)
        found: list[bytes] = []
        at = log.start
        while at < log.high_watermark:
            batches = log.read_now(
                at, bytes_max=self.chance.choice((1, 500, 100_000)), limit=log.high_watermark, whole_first=True
            )
            assert batches is not None
            for part in batches.parts:
                for header, data in records.split(part):
                    records.check_intact(header, data)
                    assert header.last_offset >= at
                    found.append(bytes(data))
                    at = header.last_offset + 1
            assert batches.size, f"{log!r}: nothing at {at}"
        return found

    def read_somewhere(self) -> None:
        """A read of one offset gives the batch that holds it; a look-up by time gives the record that it should."""
        key = self.any_key()
        log, history = self.log(key), self.histories[key]
        if log.start >= log.high_watermark:
            return
        offset = self.chance.randrange(log.start, log.high_watermark)
        self.check_aborted(key, offset)
        batches = log.read_now(offset, bytes_max=1, limit=log.high_watermark, whole_first=True)
        assert batches is not None
        wanted = next(sent for sent in history.batches if sent.end > offset)
        assert [bytes(part) for part in batches.parts] == [wanted.data]
        stamps = [
            (record.timestamp, record.offset)
            for sent in history.up_to(log.high_watermark)
            if sent.end > log.start
            for record in records.read_records(sent.data)
            if record.offset >= log.start
        ]
        timestamp = self.chance.choice(stamps)[0] + self.chance.randrange(-1, 2)
        expected = next((stamp for stamp in stamps if stamp[0] >= timestamp), None)
        found = finish(log.offset_for_time(timestamp))
        assert (None if found is None else (found.timestamp, found.offset)) == expected
        if log.high_watermark < log.end:
            return
        latest = finish(log.max_timestamp())
        assert latest is not None
        best = max(stamp[0] for stamp in stamps)
        assert (latest.timestamp, latest.offset) == next(stamp for stamp in stamps if stamp[0] == best)


def run(seed: int, *, lives: int = 4, steps: int = 60, kind: type[World] = World) -> World:
    """Several lives, each ended by a power cut or a kill somewhere; raises AssertionError when the law is broken."""
    world = kind(seed)
    world.open()
    for _ in range(lives):
        world.disk.cut_at = world.chance.choice((None, world.chance.randrange(1, 40), world.chance.randrange(1, 400)))
        kill = False
        try:
            for _ in range(world.chance.randrange(2 * steps)):
                world.step()
        except PowerCut:
            kill = world.chance.random() < 0.3
        world.crash(kill=kill)
        recover(world, kill=kill)
    return world


def recover(world: World, *, kill: bool = False) -> None:
    """Start again, through more power cuts during recovery, and judge."""
    world.disk.room_bytes = None
    chance = world.chance
    while True:
        world.disk.cut_at = chance.choice((None, None, chance.randrange(1, 60)))
        try:
            world.open()
            break
        except PowerCut:
            world.disk.power_cut()
            kill = False
    world.disk.cut_at = None
    world.check(kill=kill)
