"""What all requests to a shard work on: its groups, and the offsets that were committed under their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from drave.broker.coordinator.classic.group import ClassicGroup
from drave.broker.coordinator.group import Group, Surroundings
from drave.broker.coordinator.offsets import GroupOffsets
from drave.broker.coordinator.outcome import KeyValue
from drave.broker.coordinator.schemas.offsets_topic import OffsetKey, offset_key, offset_key_prefix, parse_key
from drave.broker.coordinator.undecided import UndecidedRecords
from drave.schema import SchemaError

G = TypeVar("G", bound=Group)


class GroupTable:
    """Groups by id, in one namespace for all kinds, and beside them offsets by group."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings: Final = surroundings
        self.undecided: Final = UndecidedRecords()
        """Offsets that wait for the end of a transaction. What takes a committed one back takes these along, or the
        transaction would bring them to life again."""
        self.groups: Final[dict[str, Group]] = {}
        self.offsets: Final[dict[str, GroupOffsets]] = {}
        self.coming: Group | None = None
        """A group that a step has just made, with what of it is soft: it is there once its first record is, and never
        where the log refuses that."""

    def get(self, group_id: str, kind: type[G]) -> G | None:
        """The group of this id, if it is of this kind."""
        group = self.groups.get(group_id)
        return group if isinstance(group, kind) else None

    def is_simple(self, group_id: str) -> bool:
        """Whether nothing is there but offsets, or not even those: who joins first says what kind of group it is."""
        group = self.groups.get(group_id)
        return group is None or (isinstance(group, ClassicGroup) and group.is_simple)

    def ensure_simple(self, group_id: str) -> None:
        """Offsets belong to a group, at least to a simple one."""
        if group_id not in self.groups:
            self.groups[group_id] = ClassicGroup(group_id, self.surroundings)

    def make_classic(self, group_id: str) -> None:
        """A classic group, perhaps in the place of an empty one of another kind."""
        group = ClassicGroup(group_id, self.surroundings)
        group.supersedes = self.groups.get(group_id)
        self.groups[group_id] = group

    def place(self, group_id: str, kind: type[Group]) -> Group:
        """The group whose first record is there: the one that the step has made, or one without anything soft."""
        coming, self.coming = self.coming, None
        is_it = coming is not None and coming.group_id == group_id and type(coming) is kind
        group = coming if coming is not None and is_it else kind(group_id, self.surroundings)
        self.groups[group_id] = group
        return group

    def tidy(self, group: Group) -> None:
        """Forget a group that is nowhere but here, and in which nobody is left: what the log has under its id stays."""
        group_id = group.group_id
        if not group.is_forgettable:
            return
        del self.groups[group_id]
        if isinstance(group, ClassicGroup) and group.supersedes is not None:
            self.groups[group_id] = group.supersedes
        elif group_id in self.offsets or any(self.keys_waiting(group_id)):
            self.ensure_simple(group_id)

    def forget_refused(self, records: Iterable[KeyValue]) -> None:
        """The log has refused these: nobody is there who was made for them alone."""
        self.coming = None
        named = (parse_key(key) for key, _ in records)
        for group_id in {each.group_id for each in named if each is not None}:
            group = self.groups.get(group_id)
            if group is not None:
                self.tidy(group)

    def delete_offsets(self, group_id: str, topic: str, indexes: Iterable[int]) -> Iterator[KeyValue]:
        """Take back what is committed in these partitions."""
        committed = self.offsets.get(group_id, ())
        for index in indexes:
            key = offset_key(group_id, topic, index)
            if (topic, index) in committed or key in self.undecided:
                yield key, None

    def delete_all_offsets(self, group_id: str) -> Iterator[KeyValue]:
        """Take back whatever is committed under the id."""
        committed = self.offsets.get(group_id)
        keys = dict.fromkeys(self.keys_waiting(group_id))
        if committed is not None:
            keys |= dict.fromkeys(key for key, _ in committed.delete_all())
        return ((key, None) for key in keys)

    def waiting(self) -> Iterator[tuple[bytes, OffsetKey]]:
        """The offsets of all groups that wait for the end of a transaction."""
        for key in self.undecided:
            try:
                named = parse_key(key)
            except SchemaError:
                continue  # whoever replays it will say so
            if isinstance(named, OffsetKey):
                yield key, named

    def keys_waiting(self, group_id: str) -> Iterator[bytes]:
        """The same of one group."""
        prefix = offset_key_prefix(group_id)
        return (key for key in self.undecided if key.startswith(prefix))
