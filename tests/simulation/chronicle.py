"""Histories written by hand: a small world in which everything goes well, and ways to spoil one thing in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from drave.model.ids import TopicId
from simulation.checker import judge
from simulation.history import (
    NEVER,
    Commit,
    Delivered,
    Ending,
    Epoch,
    Fence,
    Found,
    Gathered,
    GatheredMember,
    GroupDeleted,
    Held,
    HeldTask,
    History,
    Joined,
    Judged,
    Letter,
    Letters,
    Lookup,
    Mark,
    Outcome,
    Owned,
    Partition,
    PartitionEnding,
    Presence,
    Read,
    Said,
    SeenBatch,
    SeenRecord,
    SentRecord,
    Source,
    Taken,
    Task,
    TopicChange,
    TopicChangeKind,
    TopicEnding,
    Transaction,
    Trimmed,
)

RIDES = Partition("rides", TopicId(b"rides' topic id."), 0)
COPIES = Partition("copies", TopicId(b"copies' topic id"), 0)
KEYS = Partition("keys", TopicId(b"keys' topic id.."), 0)
LETTERS = Partition("letters", TopicId(b"letters' topicid"), 0)
PLACES = (RIDES, COPIES, KEYS, LETTERS)
TOPICS = {place.topic: place.topic_id for place in PLACES}
TASK = Task("0", 0)
RUNS = GatheredMember("P", frozenset({TASK}), frozenset())
COPIES_IT = GatheredMember("Q", frozenset(), frozenset({TASK}))
COMPACTED = {"cleanup.policy": "compact", "delete.retention.ms": "1000"}


class Chronicle:
    """A history, and the log of each partition as it really was. What is told here is what happened."""

    def __init__(self) -> None:
        self.ms = 0
        self.history = History(lambda: self.ms)
        self.history.crashes = False
        self.history.share_lock_ms = 1_000
        self.history.share_deliveries_max = 5
        self.history.share_topics = ("rides",)
        self.logs: dict[Partition, list[SeenBatch]] = {place: [] for place in PLACES}
        self.trimmed: dict[Partition, int] = {}
        for topic, topic_id in TOPICS.items():
            configs: dict[str, str | None] = dict(COMPACTED) if topic == "keys" else {}
            change = TopicChange(
                by="admin",
                asked=self.history.now(),
                kind=TopicChangeKind.CREATE,
                topic=topic,
                topic_id=topic_id,
                partitions=1,
                configs=configs,
            )
            self.history.tell(change, Outcome.DONE)
            self.history.topic_changes.append(change)

    def verdicts(self) -> set[str]:
        """The laws that are broken."""
        if self.history.ending.at == NEVER:
            self.end()
        return {verdict.law for verdict in judge(self.history)}

    def pass_ms(self, ms: int) -> None:
        self.ms += ms

    def delay(self, ms: int) -> None:
        """The topic of rides has a delay."""
        change = next(change for change in self.history.topic_changes if change.topic == RIDES.topic)
        change.configs["drave.delivery.delay.ms"] = str(ms)

    def end_of(self, place: Partition) -> int:
        log = self.logs[place]
        return log[-1].last_offset + 1 if log else 0

    # -- producers

    def send(
        self,
        place: Partition = RIDES,
        *,
        by: str = "p",
        told: Outcome = Outcome.DONE,
        lands: bool = True,
        transaction: Transaction | None = None,
        key: bytes | None = None,
        value: bytes | None = b"value",
        source: Source | None = None,
        idempotent: bool = True,
    ) -> SentRecord:
        """A record, and what became of it."""
        history = self.history
        sent = SentRecord(
            by=by,
            asked=history.now(),
            mark=history.sends(by, place),
            partition=place,
            key=key,
            value=value,
            timestamp_ms=self.ms,
            idempotent=idempotent,
            by_id=True,
            transaction=transaction,
            source=source,
            tries=1,
        )
        history.records[sent.mark] = sent
        offset = self.land(sent) if lands else self.end_of(place)
        if told is Outcome.DONE:
            sent.offset = offset
        if told is not Outcome.UNKNOWN:
            history.tell(sent, told)
        return sent

    def land(self, sent: SentRecord, *, mark: Mark | None = None) -> int:
        """The log has a record, whatever anybody was told; its offset."""
        offset = self.end_of(sent.partition)
        seen = SeenRecord(offset, mark or sent.mark, sent.key, sent.value, sent.timestamp_ms)
        in_transaction = sent.transaction is not None
        batch = SeenBatch(offset, offset, 7, 0, in_transaction, False, not in_transaction, [seen])
        self.logs[sent.partition].append(batch)
        return offset

    # -- share groups

    def take(self, offset: int = 0, *, session: str = "s/0", count: int = 1) -> Taken:
        """A member of a share group is given a record."""
        taken = Taken("queue", RIDES, offset, count, session, self.history.now(), self.history.now())
        self.history.taken.append(taken)
        return taken

    def say(self, said: Said, offset: int = 0, *, session: str = "s/0", told: Outcome = Outcome.DONE) -> Judged:
        """It says what becomes of it."""
        asked = self.history.now()
        judged = Judged(
            by="m",
            asked=asked,
            group="queue",
            partition=RIDES,
            first=offset,
            last=offset,
            said=said,
            session=session,
        )
        self.history.judged.append(judged)
        if told is not Outcome.UNKNOWN:
            self.history.tell(judged, told)
        self.lives(session)
        return judged

    def lives(self, session: str = "s/0") -> None:
        """Its session is answered once more."""
        self.history.share_sessions[session] = self.history.now()

    def bury(
        self, sent: SentRecord, *, count: int = 1, message: str = "A consumer rejected it.", **changes: Any
    ) -> None:
        """A dead letter is written of a record: all of it, unless something of it is changed."""
        said = Letter(RIDES.topic, 0, sent.offset, "queue", count, message, sent.mark)
        letter = said._replace(**{name: changes.pop(name) for name in list(changes) if name in Letter._fields})
        offset = self.end_of(LETTERS)
        record = SeenRecord(offset, None, sent.key, sent.value, self.ms, letter)._replace(**changes)
        self.logs[LETTERS].append(SeenBatch(offset, offset, -1, -1, False, False, True, [record]))

    def want_letters(self, *, copies: bool = True) -> SentRecord:
        """Dead letters are wanted of the one group; and there is a record that it may give up."""
        self.history.letters = Letters(LETTERS.topic, copies)
        self.history.drained["queue"] = True
        return self.send()

    # -- transactions

    def fence(self, by: str = "t/0", *, epoch: int = 0) -> Fence:
        fence = Fence(by=by, asked=self.history.now(), transactional_id="t", producer_id=7, epoch=epoch)
        self.history.fences.append(fence)
        self.history.tell(fence, Outcome.DONE)
        return fence

    def begin(self, fence: Fence, *, timeout_ms: int = 5_000) -> Transaction:
        now = self.history.now()
        number = len(self.history.transactions)
        made = Transaction(
            by=fence.by,
            asked=now,
            name=f"{fence.by}!{number}",
            transactional_id="t",
            begun=now,
            timeout_ms=timeout_ms,
            fence=fence,
        )
        self.history.transactions.append(made)
        return made

    def ask_to_end(self, transaction: Transaction, *, commit: bool) -> None:
        transaction.commit = commit
        transaction.asked = self.history.now()

    def decide(self, transaction: Transaction, *, commit: bool, told: Outcome = Outcome.DONE) -> None:
        """Its end, in the log and in what its producer is told."""
        self.ask_to_end(transaction, commit=commit)
        self.mark_records(transaction, commit=commit and told is not Outcome.REFUSED)
        if told is not Outcome.UNKNOWN:
            self.history.tell(transaction, told)

    def mark_records(self, transaction: Transaction, *, commit: bool) -> None:
        """Markers, whatever anybody was told."""
        names = {sent.mark for sent in self.history.records.values() if sent.transaction is transaction}
        for place, log in self.logs.items():
            mine = [number for number, batch in enumerate(log) if any(each.mark in names for each in batch.records)]
            for number in mine:
                log[number] = log[number]._replace(committed=commit)
            if mine:
                end = self.end_of(place)
                log.append(SeenBatch(end, end, 7, 0, True, True, False, [SeenRecord(end, None, b"", b"", self.ms)]))

    # -- readers

    def read(
        self,
        place: Partition = RIDES,
        position: int = 0,
        *,
        by: str = "r",
        committed_only: bool = False,
        stable: int | None = None,
    ) -> Read:
        """All that there is from a position on."""
        end = self.end_of(place)
        asked = self.history.now()
        batches = [batch for batch in self.logs[place] if batch.base_offset >= position]
        read = Read(
            by=by,
            asked=asked,
            told=self.history.now(),
            outcome=Outcome.DONE,
            partition=place,
            position=position,
            committed_only=committed_only,
            high_watermark=end,
            last_stable_offset=end if stable is None else stable,
            log_start=self.trimmed.get(place, 0),
            batches=batches,
            next_position=end,
        )
        self.history.reads.append(read)
        return read

    def look_up(self, timestamp_ms: int, offset: int, found_ms: int = -1, *, place: Partition = RIDES) -> None:
        """A look-up, told so."""
        asked = self.history.now()
        self.history.lookups.append(
            Lookup(
                by="r",
                asked=asked,
                told=self.history.now(),
                outcome=Outcome.DONE,
                partition=place,
                timestamp_ms=timestamp_ms,
                committed_only=False,
                offset=offset,
                found_timestamp_ms=found_ms,
            )
        )

    def trim(self, before: int, *, place: Partition = RIDES, told: Outcome = Outcome.DONE) -> None:
        """DeleteRecords."""
        trim = Trimmed(by="admin", asked=self.history.now(), partition=place, before=before, low_watermark=before)
        self.history.trims.append(trim)
        if told is not Outcome.UNKNOWN:
            self.history.tell(trim, told)

    # -- groups

    def commit(
        self,
        offset: int,
        *,
        place: Partition = RIDES,
        group: str = "g",
        generation: int = -1,
        member: str = "",
        told: Outcome = Outcome.DONE,
        transaction: Transaction | None = None,
    ) -> None:
        commit = Commit(
            by="g",
            asked=self.history.now(),
            group=group,
            partition=place,
            offset=offset,
            generation=generation,
            member=member,
            transaction=transaction,
        )
        self.history.commits.append(commit)
        if told is not Outcome.UNKNOWN:
            self.history.tell(commit, told)

    def find(self, offset: int, *, place: Partition = RIDES, group: str = "g", stable: bool = True) -> None:
        """A group's offset is told."""
        asked = self.history.now()
        self.history.founds.append(
            Found(
                by="g",
                asked=asked,
                told=self.history.now(),
                outcome=Outcome.DONE,
                group=group,
                partition=place,
                stable=stable,
                offset=offset,
            )
        )

    def join(
        self, generation: int, *parts: int, member: str = "m", leader: str = "m", member_id: str | None = None
    ) -> None:
        """A member enters a generation, and is given its part."""
        asked = self.history.now()
        told = self.history.now()
        self.history.joined.append(Joined("g", generation, member, member_id or member, leader, asked, told))
        asked = self.history.now()
        places = frozenset(("rides", index) for index in parts)
        self.history.owned.append(Owned("g", generation, member, places, asked, self.history.now()))

    def hold(self, member: str, *, place: Partition = RIDES, until_now: bool = False) -> None:
        """A member of a consumer group is told that a partition is its own, and perhaps gives it back."""
        now = self.history.now()
        held = Held(Presence("g", member, None, now), place, now)
        self.history.session_ms = 6_000
        self.history.held.append(held)
        if until_now:
            held.until = self.history.now()

    # -- streams groups

    def thread(self, member: str = "m", process: str = "P", *, group: str = "app") -> Presence:
        """A member of a streams group."""
        self.history.session_ms = 6_000
        return Presence(group, member, None, self.history.now(), process)

    def run(self, by: Presence, task: Task = TASK, *, is_active: bool = True) -> HeldTask:
        """It is told that a task is its own."""
        held = HeldTask(by, task, is_active, self.history.now())
        self.history.held_tasks.append(held)
        return held

    def reach(
        self, by: Presence, epoch: int, *, joins: bool = False, topology_epoch: int = 0, is_stale: bool = False
    ) -> None:
        """It is told how far it has come."""
        by.epoch = epoch
        asked, told = self.history.now(), self.history.now()
        self.history.epochs.append(Epoch(by, epoch, joins, topology_epoch, is_stale, asked, told))

    def gather(self, members: Mapping[str, GatheredMember], *, copies: int = 0, **changes: Any) -> None:
        """A streams group has come together: one task, with a state."""
        found = Gathered(
            group="app",
            state="Stable",
            epochs={7},
            told=dict(members),
            shown=dict(members),
            tasks={TASK: True},
            copies=copies,
        )
        self.history.gathered.append(replace(found, **changes))

    def delete_group(self, group: str) -> None:
        deleted = GroupDeleted(by="admin", asked=self.history.now(), group=group)
        self.history.group_deletions.append(deleted)
        self.history.tell(deleted, Outcome.DONE)

    def deliver(self, first: int, end: int) -> None:
        self.history.delivered.append(Delivered("g", RIDES, first, end))

    # -- the end

    def end(self, **gone: Sequence[int]) -> Ending:
        """The last look; `gone`: offsets that are there no more, by topic."""
        ending = Ending(since=self.history.now())
        for place, log in self.logs.items():
            missing = set(gone.get(place.topic, ()))
            batches = [
                batch._replace(records=[each for each in batch.records if each.offset not in missing])
                for batch in log
                if batch.base_offset not in missing
            ]
            committed = [record for batch in batches if batch.committed for record in batch.records]
            end = self.end_of(place)
            ending.partitions[place] = PartitionEnding(self.trimmed.get(place, 0), end, end, batches, committed)
            made = next(change for change in self.history.topic_changes if change.topic == place.topic)
            configs = {name: value or "" for name, value in made.configs.items()}
            ending.topics[place.topic] = TopicEnding(place.topic_id, 1, configs)
        ending.at = self.history.now()
        self.history.ending = ending
        return ending

    def change(self, sent: SentRecord, **changes: Any) -> None:
        """A record of the log is another one from now on."""
        log = self.logs[sent.partition]
        for number, batch in enumerate(log):
            (record,) = batch.records
            if record.offset == sent.offset or (sent.offset < 0 and record.mark == sent.mark):
                log[number] = batch._replace(records=[record._replace(**changes)])


def altered(read: Read, **changes: Any) -> Read:
    """The same read, told otherwise."""
    return replace(read, **changes)
