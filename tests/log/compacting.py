"""The world of world.py with compacted topics: keys, tombstones, codecs, and compaction between everything else.

The law: what a reader finds was sent, at the offset that it had; for every key the last record is there, unless it is a
tombstone whose time is over, and then nothing of that key is; what is missing has a later record of its key. Batches
keep their offsets, their producers and their sequences.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from drave import records
from drave.log.housekeeping import look_for_compaction
from drave.model.log_config import LogConfig
from drave.records import Codec, NewRecord, Record
from tests.log.history import Sent
from tests.log.world import Key, World, finish

KEYS = tuple(b"key %d" % number for number in range(7))


class CompactingWorld(World):
    """One seed's world, in which topics are compacted."""

    def __init__(self, seed: int, *, durability: str | None = None) -> None:
        self.built_at: dict[bytes, int] = {}
        super().__init__(seed, durability=durability)
        self.settings = dataclasses.replace(
            self.settings,
            cleaner_backoff_ms=1000,
            cleaner_slice_bytes=self.chance.choice((1, 300, 4000, 1 << 16)),
            cleaner_map_bytes=self.chance.choice((64, 400, 1 << 16)),
        )
        self.temper[self.end_transaction] *= self.chance.choice((1, 4))
        self.temper[self.compact] = self.chance.choice((2, 8, 20))

    def new_config(self) -> LogConfig:
        chance = self.chance
        return dataclasses.replace(
            super().new_config(),
            segment_bytes=chance.choice((300, 800, 2000)),
            cleanup_compact=True,
            cleanup_delete=chance.random() < 0.2,
            min_cleanable_dirty_ratio=chance.choice((0.0, 0.0, 0.3, 0.5)),
            delete_retention_ms=chance.choice((0, 1, 5_000, 60_000)),
            min_compaction_lag_ms=chance.choice((0, 0, 5_000)),
            max_compaction_lag_ms=chance.choice((10_000, 1 << 62)),
        )

    def new_batch(self, count: int, **producer: Any) -> bytes:
        chance = self.chance
        size = chance.choice((0, 10, 100, 300))
        made = [
            NewRecord(
                chance.choice(KEYS),
                None if chance.random() < 0.2 else chance.randbytes(chance.randrange(size + 1)),
                self.clock.now_ms + chance.randrange(-3000, 3000),
                (("h", b"x"),) if chance.random() < 0.1 else (),
            )
            for _ in range(count)
        ]
        batch = records.build_batch(made, codec=chance.choice((Codec.NONE, Codec.NONE, *Codec)), **producer)
        self.built_at[batch[61:]] = self.clock.now_ms
        return batch

    # -- what happens besides

    def compact(self) -> None:
        assert self.logs is not None
        self.clock.now_ms += self.chance.choice((0, 10, 7_000))
        key = self.any_key()
        look_for_compaction(self.log(key), self.logs._shared, self.clock.now_ms)

    # -- the judge

    def check_content(self, key: Key, where: str) -> None:
        log, history = self.log(key), self.histories[key]
        found = [Sent(data, records.parse_header(data)) for data in self.content(key)]
        history.batches = self.truth(key, found)
        truth = [sent for sent in history.batches if sent.end > log.start]
        if truth:
            assert truth[0].base <= log.start, where
            assert truth[-1].end == log.end, where
        else:
            assert log.start == log.end, where
        self.judge(key, truth, found, where)

    def truth(self, key: Key, found: list[Sent]) -> list[Sent]:
        """All batches that the log was made of: what was sent, perhaps one that a failing disk refused."""
        log, history = self.log(key), self.histories[key]
        there = {sent.data for sent in found}
        batches = history.up_to(log.end)
        known = {sent.data for sent in batches}
        for back in history.refused:
            if back.data in there and back.data not in known:
                batches = [sent for sent in batches if sent.end <= back.base] + [back]
                batches += [sent for sent in history.batches if sent.base >= back.end and sent.end <= log.end]
        return batches

    def judge(self, key: Key, truth: list[Sent], found: list[Sent], where: str) -> None:
        log = self.log(key)
        originals = {sent.base: sent for sent in truth}
        aborted = self.histories[key].transactions(log.end)[1]
        left: dict[int, Record] = {}
        for sent in found:
            assert sent.base in originals, f"{where}: a batch at {sent.base} that nobody sent"
            assert same_place(sent, originals[sent.base]), f"{where}: the batch at {sent.base} is another"
            assert sent.header.is_control == originals[sent.base].header.is_control, where
            if not sent.header.is_control:
                left |= {record.offset: record for record in records.read_records(sent.data)}
        data = [sent for sent in truth if not sent.header.is_control]
        written = [record for sent in data for record in records.read_records(sent.data)]
        for record in written:
            assert left.get(record.offset, record) == record, f"{where}: {record.offset} has changed"
        assert left.keys() <= {record.offset for record in written}, where
        gone = {record.offset for sent in data if ended(sent, aborted) for record in records.read_records(sent.data)}
        written = [record for record in written if record.offset not in gone]
        left = {offset: record for offset, record in left.items() if offset not in gone}
        newest = {record.key: record for record in written}
        for record in written:
            if record.offset < log.start or record.offset in left or record.key is None:
                continue  # one without a key stands for nothing, and goes
            last = newest[record.key]
            assert last.offset > record.offset or last.value is None, f"{where}: {record.offset} is missing"
        for name, last in newest.items():
            if name is not None and last.offset >= log.start and last.offset not in left:
                older = [offset for offset, record in left.items() if record.key == name]
                assert not older, f"{where}: {name!r} was deleted at {last.offset}, and is back at {older}"
                assert self.is_over(last, originals), f"{where}: the tombstone at {last.offset} went too early"

    def is_over(self, tombstone: Record, originals: dict[int, Sent]) -> bool:
        base = max(base for base in originals if base <= tombstone.offset)
        written = self.built_at[originals[base].data[61:]]
        return written + min(topic.config.delete_retention_ms for topic in self.topics.values()) <= self.clock.now_ms

    def check_aborted(self, key: Key, start: int) -> None:
        """Who reads what is committed is told of every aborted transaction of which something is left, and of no other
        than those that there were."""
        log = self.log(key)
        aborted = self.histories[key].transactions(log.high_watermark)[1]
        at = start
        while at < log.last_stable:
            read = log.read_now(
                at,
                bytes_max=self.chance.choice((1, 500, 9999)),
                limit=log.last_stable,
                whole_first=True,
                committed=True,
            )
            assert read is not None
            found = [Sent(bytes(data), header) for part in read.parts for header, data in records.split(part)]
            told = {(each.producer_id, each.first_offset, each.last_offset) for each in read.aborted}
            where = f"seed {self.seed}, life {self.lives}, {log!r}, from {at}"
            for sent in found:
                for each in aborted:
                    assert each in told or not sent.header.count or not ended(sent, [each]), f"{where}: {each}"
            assert told <= set(aborted), where
            at = found[-1].end

    def read_somewhere(self) -> None:
        """A read in a gap gives what follows it; look-ups by time know nothing of what is gone."""
        key = self.any_key()
        log = self.log(key)
        if log.start >= log.high_watermark:
            return
        content = [Sent(data, records.parse_header(data)) for data in self.content(key)]
        self.check_aborted(key, log.start)
        offset = self.chance.randrange(log.start, log.high_watermark)
        batches = log.read_now(offset, bytes_max=1, limit=log.high_watermark, whole_first=True)
        assert batches is not None
        wanted = next(sent for sent in content if sent.end > offset)
        assert [bytes(part) for part in batches.parts] == [wanted.data]
        stamps = [
            (record.timestamp, record.offset)
            for sent in content
            for record in records.read_records(sent.data)
            if record.offset >= log.start
        ]
        if not stamps:
            return
        timestamp = self.chance.choice(stamps)[0] + self.chance.randrange(-1, 2)
        expected = next((stamp for stamp in stamps if stamp[0] >= timestamp), None)
        by_time = finish(log.offset_for_time(timestamp))
        assert (None if by_time is None else (by_time.timestamp, by_time.offset)) == expected
        if log.high_watermark < log.end:
            return
        latest = finish(log.max_timestamp())
        best = max(stamp[0] for stamp in stamps)
        assert latest is not None
        assert (latest.timestamp, latest.offset) == next(stamp for stamp in stamps if stamp[0] == best)


def same_place(sent: Sent, original: Sent) -> bool:
    """Whether a batch is the original, or what compaction may have left of it."""
    one, other = sent.header, original.header
    names = ("last_offset_delta", "leader_epoch", "producer_id", "producer_epoch", "base_sequence")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def ended(sent: Sent, aborted: list[tuple[int, int, int]]) -> bool:
    """Whether a batch belongs to a transaction that was aborted."""
    header = sent.header
    return (
        header.is_transactional
        and not header.is_control
        and any(header.producer_id == producer and first <= sent.base < last for producer, first, last in aborted)
    )
