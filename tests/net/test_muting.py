"""A client over a quota: what it asks is not started for a while, nothing of it is lost, and nobody else notices."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drave.net.session import BUFFER_SIZE
from tests.net.harness import NO_REPLY, WAIT, Client, World, later, mute, now


def test_the_reply_leaves_at_once_and_what_is_asked_next_waits(world: World) -> None:
    """KIP-219."""
    client = world.client()
    client.send(mute(5), now(b"next"))
    assert client.replies == [b"5"]
    world.broker.advance(4.9)
    assert client.replies == [b"5"]
    world.broker.advance(0.1)
    assert client.replies == [b"5", b"next"]


def test_what_is_asked_while_it_is_muted_is_answered_afterwards(world: World) -> None:
    client = world.client()
    client.send(mute(5))
    client.send(now(b"a"), now(b"b"))
    assert client.replies == [b"5"]
    world.broker.advance(5)
    assert client.replies == [b"5", b"a", b"b"]


def test_what_was_started_before_is_answered_while_it_is_muted(world: World) -> None:
    client = world.client()
    client.send(later(b"slow"), mute(5), now(b"next"))
    world.handlers.complete()
    assert client.replies == [b"slow", b"5"]


def test_the_longer_of_two_waits_counts(world: World) -> None:
    client = world.client()
    client.send(mute(1))
    client.session.mute(5)
    client.session.mute(2)
    client.send(now(b"next"))
    world.broker.advance(4.9)
    assert client.replies == [b"1"]
    world.broker.advance(0.1)
    assert client.replies == [b"1", b"next"]


def test_it_is_muted_one_time_after_the_other(world: World) -> None:
    client = world.client()
    client.send(mute(1), mute(2), now(b"next"))
    world.broker.advance(1)
    assert client.replies == [b"1", b"2"]
    world.broker.advance(2)
    assert client.replies == [b"1", b"2", b"next"]


def test_a_client_that_obeys_is_listened_to_so_that_it_is_noticed_when_it_goes(world: World) -> None:
    client = world.client()
    client.send(mute(1000))
    assert client.reading
    client.hang_up()
    assert (world.sessions.open, world.broker.timers) == ({}, [])


def test_a_client_that_asks_all_the_same_is_no_longer_read_from(world: World) -> None:
    client = world.client()
    client.send(mute(5))
    client.send(now(bytes(BUFFER_SIZE)))
    client.send(now(b"more"))
    assert not client.reading
    assert client.waiting_bytes
    world.broker.advance(5)
    client.arrive()
    assert client.replies == [b"5", bytes(BUFFER_SIZE), b"more"]


def test_half_a_request_is_no_reason_to_close_a_muted_connection(world: World) -> None:
    """It was told to wait: its silence is no fault."""
    client = world.client()
    client.send(mute(100))
    client.send_bytes(b"\0\0")
    world.broker.advance(99)
    world.sessions.sweep()
    assert not client.aborted


@pytest.mark.parametrize("body", [WAIT, NO_REPLY])
def test_a_muted_client_waits_for_both_the_quota_and_what_held_it_before(world: World, body: bytes) -> None:
    client = world.client()
    client.send(body)
    client.session.mute(5)
    client.send(now(b"next"))
    if body == WAIT:
        world.broker.open(b"first")
    client.arrive()
    assert client.replies[-1:] != [b"next"]
    world.broker.advance(5)
    assert client.replies[-1:] == [b"next"]


def test_nobody_else_waits(world: World) -> None:
    muted, other = world.client(), world.client()
    muted.send(mute(5))
    other.send(now(b"at once"))
    assert other.replies == [b"at once"]


def test_a_broker_that_stops_does_not_wait_for_a_muted_client(world: World) -> None:
    client = world.client()
    client.send(mute(5), now(b"next"))
    client.session.drain()
    world.broker.advance(5)
    assert (client.replies, client.session.owes) == ([b"5"], False)


STEPS = st.one_of(
    st.builds(lambda text: now(b"%d" % text), st.integers(0, 99)),
    st.builds(lambda text: later(b"%d" % text), st.integers(0, 99)),
    st.builds(mute, st.integers(1, 5)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(bodies=st.lists(STEPS, max_size=20), pauses=st.lists(st.integers(0, 3), max_size=20))
def test_muting_loses_no_request_and_keeps_their_order(make_world, bodies: list[bytes], pauses: list[int]) -> None:
    world: World = make_world()
    client: Client = world.client()
    for number, body in enumerate(bodies):
        client.send(body)
        world.broker.advance(pauses[number] if number < len(pauses) else 0)
    while len(client.replies) < len(bodies):
        while world.handlers.pending:
            world.handlers.complete()
        world.broker.advance(5)
        client.arrive()
    assert client.replies == [body[1:] for body in bodies]
