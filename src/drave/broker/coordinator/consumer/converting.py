"""A classic group becomes a consumer group, and a consumer group a classic one, while its members go on reading.

    classic, of consumers  ──▶  consumer   when the first member of the consumer protocol joins
    consumer               ──▶  classic    when the last one of those has gone, and members of the classic protocol stay

The members stay the same, and so does what they have: the last generation of the one is the first epoch of the other,
and its assignment is the target. `group.consumer.migration.policy` says which way is open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from drave.broker.coordinator.classic.group import ClassicGroup
from drave.broker.coordinator.classic.members import Member
from drave.broker.coordinator.classic.roster import Roster
from drave.broker.coordinator.classic.subscription import (
    CONSUMER_PROTOCOL_TYPE,
    read_assignment,
    read_subscription,
    write_assignment,
)
from drave.broker.coordinator.consumer.holdings import Holdings
from drave.broker.coordinator.consumer.member import Assignment, ConsumerMember, Subscription
from drave.broker.coordinator.consumer.records import (
    current_record,
    group_record,
    member_record,
    member_tombstones,
    target_epoch_record,
    target_record,
)
from drave.broker.coordinator.group import REBALANCE, GroupLimits, TopicsImage, session_timer
from drave.broker.coordinator.modern import metadata_hash
from drave.broker.coordinator.outcome import Outcome
from drave.broker.coordinator.schemas.consumer_groups import ClassicMemberMetadata, ClassicProtocol
from drave.broker.coordinator.schemas.offsets_topic import GroupMetadataValue, group_key, group_value
from drave.model.errors import ErrorCode, Refused
from drave.model.ids import TopicId
from drave.schema import SchemaError
from drave.wire.messages.consumer_protocol import TopicPartition

UPGRADES: Final = frozenset({"bidirectional", "upgrade"})
DOWNGRADES: Final = frozenset({"bidirectional", "downgrade"})


# -- from classic to consumer


def check_upgrade(group: ClassicGroup, limits: GroupLimits) -> None:
    """That a group with members may become a consumer group. Raises Refused."""
    why = None
    if limits.migration_policy not in UPGRADES:
        why = "because online upgrade is disabled"
    elif not group.is_consumer_group:
        why = "because the group does not use the consumer embedded protocol"
    elif len(group.members) > limits.consumer_size_max:
        why = "because the group size exceeds the consumer group maximum size"
    if why is not None:
        raise Refused(
            ErrorCode.GROUP_ID_NOT_FOUND, f"Cannot upgrade classic group {group.group_id} to consumer group {why}."
        )


def write_upgrade(group: ClassicGroup, topics: TopicsImage, out: Outcome) -> None:
    """The records that make a consumer group of the classic one. Raises Refused where members cannot be read."""
    try:
        members = [_upgraded(member, group, topics) for member in group.members]
    except SchemaError as error:
        raise Refused(
            ErrorCode.GROUP_ID_NOT_FOUND,
            f"Cannot upgrade classic group {group.group_id} to consumer group because the embedded consumer protocol "
            f"is malformed: {error}.",
        ) from None
    group_id, epoch = group.group_id, group.generation
    names = {name for member in members for name in member.subscription.topics}
    records = out.records
    records.extend(group.tombstones())
    records.extend(member_record(group_id, member) for member in members)
    records.append(group_record(group_id, epoch, metadata_hash(topics, names)))
    for member in members:
        target = {topic_id: frozenset(partitions) for topic_id, partitions in member.assigned.items()}
        records.append(target_record(group_id, member.member_id, target))
    records.append(target_epoch_record(group_id, epoch, 0))
    records.extend(current_record(group_id, member) for member in members)


def _upgraded(member: Member, group: ClassicGroup, topics: TopicsImage) -> ConsumerMember:
    assignment = read_assignment(member.assignment)
    if assignment.user_data:
        raise Refused(
            ErrorCode.GROUP_ID_NOT_FOUND,
            f"Cannot upgrade classic group {group.group_id} to consumer group because a custom assignor is in use, "
            "whose own data would be lost. Switch to one of the clients' own before.",
        )
    metadata = member.protocols[0][1] if group.protocol is None else member.metadata(group.protocol)
    subscription = read_subscription(metadata)
    assigned = {
        topic_id: dict.fromkeys(partitions, group.generation)
        for topic_id, partitions in ids_of(assignment.assigned_partitions, topics).items()
    }
    return ConsumerMember(
        member_id=member.member_id,
        instance_id=member.instance_id,
        rack_id=subscription.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        subscription=Subscription(frozenset(subscription.topics)),
        classic=ClassicMemberMetadata(
            session_timeout_ms=member.session_timeout_ms,
            supported_protocols=[ClassicProtocol(name=name, metadata=data) for name, data in member.protocols],
        ),
        member_epoch=group.generation,
        previous_epoch=group.generation,
        assigned=assigned,
    )


def ids_of(places: Iterable[TopicPartition], topics: TopicsImage) -> dict[TopicId, frozenset[int]]:
    """Partitions by the ids of their topics; topics that are no more are left out."""
    found: dict[TopicId, frozenset[int]] = {}
    for each in places:
        topic = topics.topic(each.topic)
        if topic is not None and each.partitions:
            found[topic.topic_id] = found.get(topic.topic_id, frozenset()) | frozenset(each.partitions)
    return found


# -- from consumer to classic


def may_downgrade(group: Holdings, staying: Sequence[ConsumerMember]) -> bool:
    """Whether only members of the classic protocol are left, and may go on as a classic group."""
    limits = group.surroundings.limits
    return (
        bool(staying)
        and all(member.classic is not None for member in staying)
        and limits.migration_policy in DOWNGRADES
        and len(staying) <= limits.size_max
    )


def write_downgrade(
    group: Holdings,
    members: Sequence[ConsumerMember],
    target_of: Callable[[ConsumerMember], Assignment],
    epoch: int,
    now_ms: int,
    out: Outcome,
    *,
    rebalance: bool,
) -> None:
    """The records that make a classic group of the consumer group with these members, all of the classic protocol.

    With `rebalance` they are asked to join again at once: something has changed that their assignment does not show.
    """
    group_id = group.group_id
    out.records.extend(group.tombstones())
    for member in members:
        if member.member_id not in group.members:
            out.records.extend(member_tombstones(group_id, member.member_id))
    roster = Roster()
    for member in members:
        roster.add(_downgraded(member, group_id))
    protocol = roster.choose_protocol()
    topics = group.surroundings.topics
    stored = [
        each.stored(protocol, write_assignment(names_of(target_of(member), topics), each.metadata(protocol)))
        for each, member in zip(roster, members, strict=True)
    ]
    value = GroupMetadataValue(
        protocol_type=CONSUMER_PROTOCOL_TYPE,
        generation=epoch,
        protocol=protocol,
        leader=None,
        current_state_timestamp=now_ms,
        members=stored,
    )
    out.records.append((group_key(group_id), group_value(value)))
    for member in group.members.values():
        group.forget_deadlines(member.member_id, out)
    for each in roster:
        out.timer(session_timer(group_id, each.member_id), each.session_timeout_ms)
    if rebalance:
        out.timer((REBALANCE, group_id, ""), 0)


def _downgraded(member: ConsumerMember, group_id: str) -> Member:
    classic = member.classic
    assert classic is not None, "only members of the classic protocol are left"
    return Member(
        group_id,
        member.member_id,
        instance_id=member.instance_id,
        client_id=member.client_id,
        client_host=member.client_host,
        session_timeout_ms=classic.session_timeout_ms,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        protocols=tuple((each.name, each.metadata) for each in classic.supported_protocols),
    )


def names_of(assignment: Assignment, topics: TopicsImage) -> Mapping[str, Iterable[int]]:
    """Partitions by the names of their topics; topics that are no more have none and are left out."""
    found = ((topics.topic_by_id(topic_id), partitions) for topic_id, partitions in assignment.items())
    return {topic.name: partitions for topic, partitions in found if topic is not None}
