"""What every client knew, asked and was told, in virtual time. The history judges nothing; `checker` does.

    asked ──────────────── told: done, or refused          a client's question, as a stretch of time
    asked ──────────────────────────────────── ∞           or never answered: it may happen at any later moment

All clients live in one loop, so what they see has one order: a `Moment` is its place in it. If one was told before
another asked, then nothing may look as if it were the other way round; most laws say no more than that.

A record carries its `Mark`: who wrote it, as which number, and for a copy, of what. So what lies in a log says by
itself whose it is, and the history knows when it was sent, in which transaction, and what its writer was told.
"""

from __future__ import annotations

import enum
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from drave.model.errors import ErrorCode
from drave.model.ids import TopicId, topic_id_text


class Moment(NamedTuple):
    """A place in the order of all that the clients saw."""

    number: int
    ms: int
    """Virtual time, for people and for time-outs."""

    def __str__(self) -> str:
        return f"{self.ms} ms"


NEVER: Final = Moment(1 << 62, 1 << 62)


class Partition(msgspec.Struct, frozen=True, order=True, gc=False):
    """One partition of one life of a topic: a topic that is made anew has another id."""

    topic: str
    topic_id: TopicId
    index: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.index} ({topic_id_text(self.topic_id)[:6]})"


class Source(NamedTuple):
    """What a copy was made of."""

    partition: Partition
    offset: int


class Mark(NamedTuple):
    """One record's name."""

    writer: str
    """A client's process: one that is started anew has another name."""
    number: int
    """Which of its records in this partition; they are sent in this order."""

    def __str__(self) -> str:
        return f"{self.writer}#{self.number}"


class Outcome(enum.Enum):
    """What is known of something that was asked."""

    UNKNOWN = "never answered"
    DONE = "done"
    REFUSED = "refused for sure"


@dataclass(slots=True, kw_only=True)
class Asked:
    """Something that a client asked of the broker."""

    by: str
    asked: Moment
    told: Moment = NEVER
    """When its outcome became known; `NEVER` while it is not."""
    outcome: Outcome = Outcome.UNKNOWN

    @property
    def is_done(self) -> bool:
        return self.outcome is Outcome.DONE

    @property
    def may_have_happened(self) -> bool:
        return self.outcome is not Outcome.REFUSED

    def __str__(self) -> str:
        told = "" if self.told == NEVER else f", told at {self.told}"
        return f"[asked at {self.asked} by {self.by}: {self.outcome.value}{told}]"


@dataclass(slots=True, kw_only=True)
class SentRecord(Asked):
    """A record, from when it was first sent."""

    mark: Mark
    partition: Partition
    key: bytes | None
    value: bytes | None
    """None: a tombstone."""
    timestamp_ms: int
    idempotent: bool
    by_id: bool
    """Whether its topic was named by its id; by name, it may have gone into a topic that was made anew."""
    transaction: Transaction | None = None
    source: Source | None = None
    tries: int = 0
    offset: int = -1
    """Where it was told to be; -1 while that is unknown."""

    def __str__(self) -> str:
        where = f" at {self.offset}" if self.offset >= 0 else ""
        return f"{self.mark} to {self.partition}{where} {Asked.__str__(self)}"


@dataclass(slots=True, kw_only=True)
class Fence(Asked):
    """An InitProducerId for a transactional id: who is given an epoch fences all earlier ones."""

    transactional_id: str
    producer_id: int = -1
    epoch: int = -1


@dataclass(slots=True, kw_only=True)
class Transaction(Asked):
    """One transaction of one process; asked and told are those of its end."""

    name: str
    transactional_id: str
    begun: Moment
    timeout_ms: int
    fence: Fence
    """By which its process was given its identity."""
    commit: bool | None = None
    """What was asked for; None while nothing was."""

    @property
    def is_committed(self) -> bool:
        """It was told so."""
        return self.commit is True and self.is_done

    @property
    def may_be_committed(self) -> bool:
        return self.commit is True and self.may_have_happened

    def __str__(self) -> str:
        what = {None: "undecided", True: "commit", False: "abort"}[self.commit]
        return f"transaction {self.name}, {what} {Asked.__str__(self)}"


class Letter(NamedTuple):
    """What a dead letter says of the record that a share group has given up (KIP-1191)."""

    topic: str
    partition: int
    offset: int
    group: str
    count: int
    """How often the record was delivered."""
    message: str
    mark: Mark | None
    """The record's, where the letter is a copy of it."""


class SeenRecord(NamedTuple):
    """A record as a reader was given it."""

    offset: int
    mark: Mark | None
    """None: it carries no name that can be read, or is a dead letter."""
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    letter: Letter | None = None


class SeenBatch(NamedTuple):
    """A batch as a reader was given it."""

    base_offset: int
    last_offset: int
    producer_id: int
    epoch: int
    transactional: bool
    control: bool
    committed: bool
    """False: a reader of what is committed skips it, because it is a marker or was aborted."""
    records: list[SeenRecord]


@dataclass(slots=True, kw_only=True)
class Read(Asked):
    """One partition's part of a Fetch that was answered."""

    partition: Partition
    position: int
    committed_only: bool
    high_watermark: int = -1
    last_stable_offset: int = -1
    log_start: int = -1
    batches: list[SeenBatch] = field(default_factory=list)
    next_position: int = -1

    def __str__(self) -> str:
        kind = "read_committed" if self.committed_only else "read_uncommitted"
        return (
            f"{kind} of {self.partition} from {self.position} to {self.next_position}, start {self.log_start}, stable "
            f"{self.last_stable_offset}, high watermark {self.high_watermark} {Asked.__str__(self)}"
        )


class EmptyFetch(NamedTuple):
    """A Fetch that was answered, without an error and without a single batch."""

    by: str
    asked: Moment
    told: Moment
    committed_only: bool
    positions: dict[Partition, int]

    def __str__(self) -> str:
        return f"the Fetch of {self.by}, asked at {self.asked} and told at {self.told}"


@dataclass(slots=True, kw_only=True)
class Lookup(Asked):
    """An offset that was looked up."""

    partition: Partition
    timestamp_ms: int
    """Or -1: the end, -2: the start."""
    committed_only: bool
    offset: int = -1
    found_timestamp_ms: int = -1


@dataclass(slots=True, kw_only=True)
class Commit(Asked):
    """A group's offset in one partition; in a transaction it counts when that is committed."""

    group: str
    partition: Partition
    offset: int
    generation: int = -1
    member: str = ""
    transaction: Transaction | None = None

    def __str__(self) -> str:
        whose = f" in {self.transaction}" if self.transaction else ""
        return (
            f"commit of {self.offset} by {self.group} in {self.partition}, generation {self.generation}"
            f"{whose} {Asked.__str__(self)}"
        )


@dataclass(slots=True, kw_only=True)
class Found(Asked):
    """A group's offset, as somebody was told it; -1: none."""

    group: str
    partition: Partition
    stable: bool
    """Whether the question was to wait for transactions."""
    offset: int = -1

    def __str__(self) -> str:
        return f"{self.group} in {self.partition} stands at {self.offset} {Asked.__str__(self)}"


class Owned(NamedTuple):
    """What a member was given in a generation."""

    group: str
    generation: int
    member: str
    partitions: frozenset[tuple[str, int]]
    asked: Moment
    """When it asked for its part; it was a member of this generation by then."""
    told: Moment


class Joined(NamedTuple):
    """A member was told of a generation."""

    group: str
    generation: int
    member: str
    """Who it is to its group; a static member stays the same through all its processes."""
    member_id: str
    leader: str
    asked: Moment
    told: Moment


class Task(NamedTuple):
    """One subtopology of a streams group, on one partition of its inputs (KIP-1071)."""

    subtopology: str
    partition: int

    def __str__(self) -> str:
        return f"task {self.subtopology}_{self.partition}"


@dataclass(slots=True, eq=False)
class Presence:
    """A member of a consumer or streams group, from when it joins until it is told that it is none any more."""

    group: str
    member: str
    instance: str | None
    heard: Moment
    """When it sent the last heartbeat that was answered: its session is not over before that and its length."""
    process: str | None = None
    """Of which process it is a thread; None where it is no member of a streams group."""
    lost: list[frozenset[Partition | Task]] = field(default_factory=list)
    """What it said it had in each heartbeat that was not answered, and may yet arrive."""
    epoch: int = 0
    """The last one that it was told."""
    missed: Moment = NEVER
    """When it was told that its group does not know it any more."""


@dataclass(slots=True, eq=False)
class Held:
    """A partition that a member reads: since it was told, until it sends word that it stopped."""

    by: Presence
    partition: Partition
    told: Moment
    until: Moment = NEVER


@dataclass(slots=True, eq=False)
class HeldTask:
    """A task that a member of a streams group has, in one role; the times are those of `Held`."""

    by: Presence
    task: Task
    is_active: bool
    """Or else a standby."""
    told: Moment
    until: Moment = NEVER

    def __str__(self) -> str:
        role = "active" if self.is_active else "standby"
        return f"{self.task}, {role} at {self.by.member} in {self.by.process}, told at {self.told}"


class Epoch(NamedTuple):
    """A member of a streams group was told how far it has come."""

    by: Presence
    epoch: int
    joins: bool
    """Whether it asked to become a member."""
    topology_epoch: int
    """Of the topology that it runs."""
    is_stale: bool
    """Whether it was told that the group runs a newer one."""
    asked: Moment
    told: Moment

    def __str__(self) -> str:
        return f"{self.by.member} was told epoch {self.epoch} at {self.told}"


class GatheredMember(NamedTuple):
    """One member of a streams group that has come together."""

    process: str
    active: frozenset[Task]
    standby: frozenset[Task]


@dataclass(slots=True, kw_only=True)
class Gathered:
    """A streams group whose members do nothing but send heartbeats, after some time."""

    group: str
    state: str
    epochs: set[int]
    """The group's, its assignment's and its members'."""
    told: dict[str, GatheredMember]
    """What each member was told, by its id."""
    shown: dict[str, GatheredMember]
    """The same as tools are shown it."""
    tasks: dict[Task, bool]
    """All that there are; and whether it has a state, of which copies are wanted."""
    copies: int


class Delivered(NamedTuple):
    """A group's member read these offsets of a partition, from `first` to before `end`."""

    group: str
    partition: Partition
    first: int
    end: int


@dataclass(slots=True, kw_only=True)
class Trimmed(Asked):
    """A DeleteRecords: everything before an offset."""

    partition: Partition
    before: int
    """-1: all that is stable."""
    low_watermark: int = -1


@dataclass(slots=True, kw_only=True)
class TopicChange(Asked):
    """A topic was made, deleted, given more partitions or other configs."""

    kind: TopicChangeKind
    topic: str
    topic_id: TopicId | None = None
    partitions: int = -1
    configs: dict[str, str | None] = field(default_factory=dict)


class TopicChangeKind(enum.Enum):
    """What was to happen to a topic."""

    CREATE = "create"
    DELETE = "delete"
    GROW = "create partitions"
    ALTER = "alter configs"


@dataclass(slots=True, kw_only=True)
class GroupDeleted(Asked):
    """A DeleteGroups."""

    group: str


@dataclass(slots=True, kw_only=True)
class QuotaChange(Asked):
    """A client was given a quota, or lost it (None)."""

    client_id: str
    key: str
    rate: float | None


class Taken(NamedTuple):
    """A member of a share group was given a record."""

    group: str
    partition: Partition
    offset: int
    count: int
    """Its how manieth delivery the broker said it was."""
    session: str
    """The member's share session: what it holds, it holds by that."""
    asked: Moment
    told: Moment

    def __str__(self) -> str:
        return f"{self.offset} of {self.partition} (delivery {self.count}, told at {self.told} in {self.session})"


class Said(enum.Enum):
    """What a member may say of a record that it holds; the numbers are Kafka's, and 0 is for where no record is."""

    GAP = 0
    ACCEPT = 1
    RELEASE = 2
    REJECT = 3
    RENEW = 4


@dataclass(slots=True, kw_only=True)
class Judged(Asked):
    """What a member said of some offsets in a row."""

    group: str
    partition: Partition
    first: int
    last: int
    said: Said
    session: str

    def __str__(self) -> str:
        return f"{self.said.name} of {self.first}..{self.last} {Asked.__str__(self)}"


class Letters(NamedTuple):
    """Where the dead letters of share groups go."""

    topic: str
    copies: bool
    """Whether they hold the records, too."""


class Complaint(NamedTuple):
    """The broker told a client what an honest one is never told."""

    by: str
    at: Moment
    code: ErrorCode
    about: str

    def __str__(self) -> str:
        return f"{self.by} was told {self.code.name} at {self.at}: {self.about}"


class Silence(NamedTuple):
    """A question that the client gave up waiting for."""

    by: str
    asked: Moment
    given_up: Moment
    about: str

    def __str__(self) -> str:
        return f"{self.by} asked {self.about} at {self.asked} and gave up at {self.given_up}"


@dataclass(slots=True)
class PartitionEnding:
    """One partition when everything is over."""

    log_start: int
    last_stable_offset: int
    high_watermark: int
    batches: list[SeenBatch] = field(default_factory=list)
    """All, markers and aborted ones too, as a reader of everything sees them; `committed` as the other one did."""
    committed: list[SeenRecord] = field(default_factory=list)
    """What a reader of what is committed was given."""


@dataclass(slots=True)
class TopicEnding:
    """A topic when everything is over."""

    topic_id: TopicId
    partitions: int
    configs: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Ending:
    """What is there when everything has healed, all clients have ended and all time-outs have passed."""

    topics: dict[str, TopicEnding] = field(default_factory=dict)
    partitions: dict[Partition, PartitionEnding] = field(default_factory=dict)
    ongoing: list[str] = field(default_factory=list)
    """Transactional ids whose transactions have not ended."""
    members: dict[str, int] = field(default_factory=dict)
    """How many members each group still has, though all clients have ended."""
    quotas: dict[tuple[str, str], float] = field(default_factory=dict)
    """By client id and key."""
    since: Moment = NEVER
    at: Moment = NEVER
    """When it was looked at."""


class History:
    """Everything that happened, as the clients saw it, and what is there in the end."""

    def __init__(self, now_ms: Callable[[], float]) -> None:
        self._now_ms = now_ms
        self._numbers = itertools.count()
        self.records: dict[Mark, SentRecord] = {}
        self.fences: list[Fence] = []
        self.transactions: list[Transaction] = []
        self.reads: list[Read] = []
        self.empty_fetches: list[EmptyFetch] = []
        self.lookups: list[Lookup] = []
        self.commits: list[Commit] = []
        self.founds: list[Found] = []
        self.owned: list[Owned] = []
        self.joined: list[Joined] = []
        self.held: list[Held] = []
        self.held_tasks: list[HeldTask] = []
        self.epochs: list[Epoch] = []
        self.gathered: list[Gathered] = []
        self.delivered: list[Delivered] = []
        self.taken: list[Taken] = []
        self.judged: list[Judged] = []
        self.share_sessions: dict[str, Moment] = {}
        """When the last request was asked that a share session answered: until then, it was there."""
        self.lost_share_fetches: Counter[str] = Counter()
        """By group: how many ShareFetches were never answered, so that nobody knows what they were given."""
        self.drained: dict[str, bool] = {}
        """The share groups that somebody was to read to the end at last, and whether there was one."""
        self.share_topics: tuple[str, ...] = ()
        """What they read."""
        self.letters: Letters | None = None
        """Where their dead letters go."""
        self.redelivery_ms = 0
        """How long a record that was released is kept back."""
        self.disk_refuses = False
        """Whether the broker's disk may have refused a write, and lived on."""
        self.share_lock_ms = 0
        self.share_deliveries_max = 0
        self.trims: list[Trimmed] = []
        self.topic_changes: list[TopicChange] = []
        self.group_deletions: list[GroupDeleted] = []
        self.quota_changes: list[QuotaChange] = []
        self.complaints: list[Complaint] = []
        self.silences: list[Silence] = []
        self.is_calm = False
        """Whether nothing disturbed the broker and its network."""
        self.crashes = True
        """Whether a life of the broker may have ended without warning."""
        self.session_ms = 0
        """How long a member of a consumer group may be silent."""
        self.clock_slack_ms = 0
        """So far the broker's wall clock, by which it counts some of its times, may have jumped ahead."""
        self.ending = Ending()
        self._record_numbers: dict[tuple[str, Partition], Iterator[int]] = defaultdict(itertools.count)

    def now(self) -> Moment:
        """The next moment: each is later than all before it."""
        return Moment(next(self._numbers), int(self._now_ms()))

    # -- what clients tell

    def sends(self, writer: str, partition: Partition) -> Mark:
        """The name of a writer's next record in a partition. Names are unique, and rise."""
        number = next(self._record_numbers[writer, partition])
        return Mark(f"{writer}@{partition.topic}-{partition.index}.{topic_id_text(partition.topic_id)[:6]}", number)

    def tell(self, operation: Asked, outcome: Outcome) -> None:
        """The outcome of what was asked is known. What is done stays done, whatever another try is told."""
        if operation.outcome is Outcome.UNKNOWN:
            operation.outcome = outcome
            operation.told = self.now()

    def complain(self, by: str, code: ErrorCode, about: str) -> None:
        self.complaints.append(Complaint(by, self.now(), code, about))
