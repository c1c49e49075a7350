"""A member's life through the handlers: JoinGroup, SyncGroup, Heartbeat, LeaveGroup in every version."""

from __future__ import annotations

import pytest

from drave.broker.context import Pending
from drave.model.errors import ErrorCode
from drave.wire.messages.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from drave.wire.messages.k13_leave_group import LeaveGroupRequest, MemberIdentity
from drave.wire.messages.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from tests.broker.conftest import Asker, answered

Code = ErrorCode


def join(member_id: str = "", *, group: str = "g", instance_id: str | None = None) -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id=group,
        session_timeout_ms=60_000,
        rebalance_timeout_ms=60_000,
        member_id=member_id,
        group_instance_id=instance_id,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )


def sync(member_id: str, generation: int, *, group: str = "g") -> SyncGroupRequest:
    return SyncGroupRequest(
        group_id=group,
        generation_id=generation,
        member_id=member_id,
        protocol_type="consumer",
        protocol_name="range",
        assignments=[SyncGroupRequestAssignment(member_id=member_id, assignment=b"part")],
    )


def heartbeat(member_id: str, generation: int, *, group: str = "g") -> HeartbeatRequest:
    return HeartbeatRequest(group_id=group, generation_id=generation, member_id=member_id)


@pytest.mark.parametrize("version", range(10))
async def test_a_member_lives_and_leaves_in_every_version(see, version: int) -> None:
    joined = await see(join(), version)
    if version >= 4:
        assert joined.error_code == Code.MEMBER_ID_REQUIRED
        assert joined.protocol_name == (None if version >= 7 else "")
        joined = await see(join(joined.member_id), version)
    assert (joined.error_code, joined.generation_id, joined.protocol_name) == (Code.NONE, 1, "range")
    assert joined.protocol_type == ("consumer" if version >= 7 else None)
    member_id = joined.member_id
    assert member_id.startswith("test-")
    synced = await see(sync(member_id, 1), min(version, 5))
    assert (synced.error_code, synced.assignment) == (Code.NONE, b"part")
    assert (await see(heartbeat(member_id, 1), min(version, 4))).error_code == Code.NONE
    leave = LeaveGroupRequest(group_id="g", members=[MemberIdentity(member_id=member_id)])
    if version < 3:
        leave = LeaveGroupRequest(group_id="g", member_id=member_id)
    assert (await see(leave, min(version, 5))).error_code == Code.NONE
    assert (await see(heartbeat(member_id, 1), min(version, 4))).error_code == Code.UNKNOWN_MEMBER_ID


async def test_a_second_member_waits_for_the_first_to_join_again(asker: Asker, see) -> None:
    first = (await see(join())).member_id
    await see(join(first))
    second = (await see(join())).member_id
    waiting = asker.start(join(second))
    assert isinstance(waiting, Pending)
    assert not waiting.done
    again = await see(join(first))
    joined = await answered(waiting)
    assert (again.generation_id, joined.generation_id, joined.leader) == (2, 2, first)


async def test_the_address_of_a_member_is_shown_as_kafka_shows_it(see) -> None:
    await see(join(), 3)
    (group,) = (await see(DescribeGroupsRequest(groups=["g"]))).groups
    assert (group.members[0].client_id, group.members[0].client_host) == ("test", "/127.0.0.1")


async def test_a_client_without_a_name_is_taken_in_too(broker, clock) -> None:
    joined = await Asker(broker, clock, client_id=None).ask(join(), 3)
    assert joined.error_code == Code.NONE


async def test_a_group_needs_an_id(see) -> None:
    invalid = Code.INVALID_GROUP_ID
    assert (await see(join(group=""))).error_code == invalid
    assert (await see(sync("m", 1, group=""))).error_code == invalid
    assert (await see(heartbeat("m", 1, group=""))).error_code == invalid
    assert (await see(LeaveGroupRequest(group_id="", members=[]))).error_code == invalid


async def test_since_version_5_a_sync_names_the_protocol(see) -> None:
    """KIP-559."""
    request = sync("m", 1)
    request.protocol_name = None
    assert (await see(request, 5)).error_code == Code.INCONSISTENT_GROUP_PROTOCOL
    assert (await see(request, 4)).error_code == Code.UNKNOWN_MEMBER_ID


async def test_a_member_that_falls_silent_is_taken_out_by_the_clock_of_the_loop(broker, see) -> None:
    joined = await see(join(), 3)
    await see(sync(joined.member_id, 1))
    (name,) = broker.groups._deadlines._due
    broker.groups._timer_fired(name)
    assert (await see(heartbeat(joined.member_id, 1))).error_code == Code.UNKNOWN_MEMBER_ID


async def test_while_the_group_is_loaded_a_heartbeat_is_taken_for_granted(broker, see) -> None:
    """Clients do not expect a heartbeat to be told of it, and nobody is missed meanwhile."""
    joined = await see(join(), 3)
    partition = broker.groups._partition(broker.groups.partition_for("g"))
    partition.loaded = False
    assert (await see(heartbeat(joined.member_id, 1))).error_code == Code.NONE
    assert (await see(join())).error_code == Code.COORDINATOR_LOAD_IN_PROGRESS
    assert (await see(sync(joined.member_id, 1))).error_code == Code.COORDINATOR_LOAD_IN_PROGRESS


async def test_when_the_broker_stops_those_who_wait_are_told_to_look_elsewhere(asker: Asker, broker, see) -> None:
    first = (await see(join(), 3)).member_id
    await see(sync(first, 1))
    waiting = asker.start(join(), 3)
    broker.end_waits()
    assert (await answered(waiting)).error_code == Code.NOT_COORDINATOR
    assert (await see(heartbeat(first, 1))).error_code == Code.NOT_COORDINATOR


async def test_a_client_that_went_away_while_it_waited_is_no_longer_answered(asker: Asker, broker, see) -> None:
    first = (await see(join(), 3)).member_id
    await see(sync(first, 1))
    waiting = asker.start(join(), 3)
    waiting.attach(lambda _: pytest.fail("nobody is there"))
    waiting.cancel()
    assert (await see(join(first), 3)).generation_id == 2
