"""Consumer groups: who is in them, how far they are, and moving them to another place.

Committed offsets are asked for and written through a consumer that joins nothing. The admin client has calls for both,
but its binding crashes the process where a coordinator answers with an error for the group (confluent-kafka 2.16).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from drave.client.connection import ANSWER_TIMEOUT_S, Connection, coordinator_result, result
from drave.client.errors import ClientError, NotFound, told
from drave.client.resets import Reset, Target, Toward, plan_resets
from drave.client.topics import TopicPartitionId, Topics

NO_MEMBERS: Final = {"empty", "dead"}


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """A group as it is listed: `state` and `type` in small letters, such as "stable" and "consumer"."""

    group: str
    state: str
    type: str


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group. `partitions` are what it was assigned, in order; `instance_id` is a static member's."""

    member_id: str
    instance_id: str | None
    client_id: str
    host: str
    partitions: tuple[TopicPartitionId, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a group is in one partition. `member` reads it now, if any; `lag` is None before the first commit."""

    partition: TopicPartitionId
    committed: int | None
    end: int
    member: str | None

    @property
    def lag(self) -> int | None:
        """How many offsets are yet to be read, markers of transactions among them."""
        return None if self.committed is None else max(0, self.end - self.committed)


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """One group. `coordinator` is HOST:PORT; `progress` has each partition in which it has committed or reads."""

    group: str
    state: str
    type: str
    assignor: str
    coordinator: str
    members: tuple[Member, ...]
    progress: tuple[Progress, ...]

    @property
    def lag(self) -> int:
        """Of all its partitions that have an offset."""
        return sum(each.lag or 0 for each in self.progress)


class Groups:
    """The consumer groups of one cluster. Every method raises ClientError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._topics = Topics(connection)
        self._admin = self._topics.admin

    def summaries(self) -> list[GroupSummary]:
        """The groups that the broker lists, by name."""
        listing = result(self._admin.list_consumer_groups(request_timeout=ANSWER_TIMEOUT_S), "list groups")
        if listing.errors and not listing.valid:
            raise told(listing.errors[0].args[0], "list groups")
        found = [GroupSummary(each.group_id, _word(each.state), _word(each.type)) for each in listing.valid]
        return sorted(found, key=lambda each: each.group)

    def describe(self, group: str) -> GroupDescription:
        """Members, offsets and lag of one group. Raises NotFound."""
        found = self._find(group)
        members = tuple(
            Member(
                member.member_id,
                member.group_instance_id or None,
                member.client_id,
                member.host.removeprefix("/"),
                tuple(
                    sorted(TopicPartitionId(p.topic, p.partition) for p in member.assignment.topic_partitions)
                    if member.assignment
                    else ()
                ),
            )
            for member in sorted(found.members, key=lambda each: each.member_id)
        )
        owners = {partition: member.member_id for member in members for partition in member.partitions}
        committed = self._committed(group, self._topics.all_partitions())
        if _word(found.state) == "dead" and not committed:
            raise NotFound(f"group {group} does not exist")
        wanted = sorted(committed.keys() | owners.keys())
        bounds = self._topics.bounds(wanted)
        node = found.coordinator
        return GroupDescription(
            group,
            _word(found.state),
            _word(found.type),
            found.partition_assignor or "",
            f"{node.host}:{node.port}" if node else "",
            members,
            tuple(Progress(each, committed.get(each), bounds[each].end, owners.get(each)) for each in wanted),
        )

    def plan(self, group: str, target: Target, scope: Sequence[tuple[str, int | None]]) -> list[Reset]:
        """What a reset would do to `scope`: pairs of a topic and one partition of it or None for all. An empty scope is
        every partition in which the group has committed. Raises NotFound when that leaves nothing."""
        within: list[TopicPartitionId] = []
        for topic, partition in scope:
            within += self._topics.partitions(topic, partition)
        committed = self._committed(group, within or self._topics.all_partitions())
        wanted = within or sorted(committed)
        if not wanted:
            raise NotFound(f"group {group} has no committed offsets; name a topic with --topic")
        bounds = self._topics.bounds(wanted)
        since = self._topics.offsets_since(wanted, target.amount) if target.toward is Toward.TIME else {}
        return plan_resets(target, committed, bounds, since)

    def carry_out(self, group: str, resets: Iterable[Reset]) -> None:
        """Commit the planned offsets. Only a group without members can be moved."""
        from drave.client.librdkafka import KafkaException, TopicPartition

        state = _word(self._find(group).state)
        if state not in NO_MEMBERS:
            raise ClientError(f"group {group} is {state}: stop its members first, or they would overwrite the reset")
        offsets = [TopicPartition(*reset.partition, reset.offset) for reset in resets]
        consumer = self._connection.consumer(group, **{"enable.auto.commit": False})
        try:
            for done in consumer.commit(offsets=offsets, asynchronous=False) or []:
                if done.error is not None:
                    raise told(done.error, f"move group {group} in {done.topic}-{done.partition}")
        except KafkaException as error:
            raise told(error.args[0], f"move group {group}") from None
        finally:
            consumer.close()

    def delete(self, groups: Sequence[str]) -> None:
        """Delete groups without members, with their offsets, one after the other; the first that cannot be ends it."""
        for group in groups:
            self._find(group)  # so that its coordinator has loaded
            future = self._admin.delete_consumer_groups([group], request_timeout=ANSWER_TIMEOUT_S)[group]
            result(future, f"delete group {group}")

    def _find(self, group: str) -> Any:
        return coordinator_result(
            lambda: self._admin.describe_consumer_groups([group], request_timeout=ANSWER_TIMEOUT_S)[group],
            f"describe group {group}",
        )

    def _committed(self, group: str, partitions: Sequence[TopicPartitionId]) -> dict[TopicPartitionId, int]:
        from drave.client.librdkafka import KafkaException, TopicPartition

        if not partitions:
            return {}
        consumer = self._connection.consumer(group, **{"enable.auto.commit": False})
        try:
            found = consumer.committed([TopicPartition(*each) for each in partitions], timeout=ANSWER_TIMEOUT_S)
        except KafkaException as error:
            raise told(error.args[0], f"read the offsets of group {group}") from None
        finally:
            consumer.close()
        return {TopicPartitionId(each.topic, each.partition): each.offset for each in found if each.offset >= 0}


def _word(value: object) -> str:
    """An enumeration's name as a word: ConsumerGroupState.PREPARING_REBALANCING is "preparing rebalancing"."""
    return getattr(value, "name", str(value)).lower().replace("_", " ")
