"""What consumer and streams groups have in common: a part (a partition, an active task) has one owner at a time.

                a member joins        what it reads is there    target made           all have reached it
    Empty ─────────────────→ NotReady ──────────→ Assigning ─────→ Reconciling ──────────────────→ Stable

So a member that is to have less gives back first, for which it has so much time, and one that is to have more may have
to wait for it. How far each has come is in its epoch; a commit of an epoch that has passed counts where its member has
had the part since then (KIP-1251).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final, Generic, Protocol, TypeVar

from drave.broker.coordinator.group import Commit, GroupState, PartitionCheck, Surroundings
from drave.broker.coordinator.modern import ModernGroup, ModernMember, rebalance_timer
from drave.broker.coordinator.outcome import Outcome
from drave.model.errors import ErrorCode
from drave.model.ids import TopicId

EPOCHS_SINCE: Final = 9
"""OffsetCommit versions whose generation can be a member's epoch."""


class ExclusiveMember(ModernMember, Protocol):
    """A member with parts that nobody else has."""

    @property
    def rebalance_timeout_ms(self) -> int: ...

    @property
    def must_give_back(self) -> bool:
        """Whether it has been asked for parts, and has yet to say that it gave them back."""
        ...

    def is_reconciled_to(self, epoch: int) -> bool:
        """Whether it has what the target of this epoch gives it."""
        ...


M = TypeVar("M", bound=ExclusiveMember)
T = TypeVar("T")


class ExclusiveGroup(ModernGroup[M], Generic[M, T]):
    """Members, and what each of them is to have."""

    __slots__ = ("targets",)

    def __init__(self, group_id: str, surroundings: Surroundings) -> None:
        super().__init__(group_id, surroundings)
        self.targets: dict[str, T] = {}

    @property
    def state(self) -> GroupState:
        if not self.members:
            return GroupState.EMPTY
        if not self.is_ready:
            return GroupState.NOT_READY
        if self.epoch > self.target_epoch:
            return GroupState.ASSIGNING
        if all(member.is_reconciled_to(self.target_epoch) for member in self.members.values()):
            return GroupState.STABLE
        return GroupState.RECONCILING

    @property
    def is_ready(self) -> bool:
        """Whether all is there that an assignment needs."""
        return True

    @property
    def gives_way(self) -> bool:
        return True

    # -- offsets

    def may_commit(self, commit: Commit, out: Outcome) -> ErrorCode | PartitionCheck:
        if commit.generation < 0 and not self.members:
            return ErrorCode.NONE
        if commit.in_transaction and (commit.generation, commit.member_id, commit.instance_id) == (-1, "", None):
            return ErrorCode.NONE
        member = self.members.get(commit.member_id)
        if member is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        if not commit.in_transaction and self.speaks_of_epochs(member) and commit.api_version < EPOCHS_SINCE:
            return ErrorCode.UNSUPPORTED_VERSION
        if commit.generation == member.member_epoch:
            return ErrorCode.NONE
        # TxnOffsetCommit has no word of its own for a member's epoch.
        stale = ErrorCode.ILLEGAL_GENERATION if commit.in_transaction else self._stale(member)
        if commit.generation > member.member_epoch:
            return stale

        def check(topic_id: TopicId, partition: int) -> ErrorCode:
            since = self.owned_since(member, topic_id, partition)
            return stale if since is None or commit.generation < since else ErrorCode.NONE

        return check

    @abstractmethod
    def owned_since(self, member: M, topic_id: TopicId, partition: int) -> int | None:
        """The epoch at which the member was given what reads this partition; None where it does not have it."""

    def may_fetch(self, member_id: str | None, member_epoch: int) -> ErrorCode:
        if member_id is None and member_epoch < 0:
            return ErrorCode.NONE
        member = self.members.get(member_id or "")
        if member is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        return ErrorCode.NONE if member.member_epoch == member_epoch else self._stale(member)

    def speaks_of_epochs(self, member: M) -> bool:
        """Whether it uses the group's own protocol; others take their epochs for generations."""
        return True

    def _stale(self, member: M) -> ErrorCode:
        return ErrorCode.STALE_MEMBER_EPOCH if self.speaks_of_epochs(member) else ErrorCode.ILLEGAL_GENERATION

    # -- deadlines

    def expect_back(self, member: M, out: Outcome) -> None:
        """A member that has something to give back has so much time for it, and is taken out then."""
        timeout_ms = member.rebalance_timeout_ms if member.must_give_back else None
        out.timer(rebalance_timer(self.group_id, member.member_id), timeout_ms)

    def loaded(self, now_ms: int, out: Outcome) -> None:
        super().loaded(now_ms, out)
        for member in self.members.values():
            self.expect_back(member, out)
