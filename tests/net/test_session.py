"""One connection: frames in, replies out in order, and what it may hold."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drave.broker.context import Pending
from drave.net.session import BUFFER_SIZE, KEEP_SIZE, REPLIES_OWED_MAX
from drave.wire.api import ApiKey
from tests.net.harness import CLOSE, FAIL, NO_REPLY, WAIT, Client, World, frame, later, now, zeros

THREE = b"".join(frame(now(text), number) for number, text in enumerate((b"one", b"", b"three")))


# -- frames


@pytest.mark.parametrize("cut", range(len(THREE) + 1))
def test_a_request_is_found_wherever_the_network_cuts_it(world: World, cut: int) -> None:
    client = world.client()
    client.send_bytes(THREE[:cut])
    client.send_bytes(THREE[cut:])
    assert client.replies == [b"one", b"", b"three"]


def test_a_request_is_found_when_its_bytes_come_one_by_one(world: World) -> None:
    client = world.client()
    for byte in THREE:
        client.send_bytes(bytes([byte]))
    assert client.replies == [b"one", b"", b"three"]


def test_a_thousand_requests_in_one_piece_are_answered_with_few_writes(world: World) -> None:
    client = world.client()
    client.send(*(now(b"%d" % number) for number in range(1000)))
    assert client.replies == [b"%d" % number for number in range(1000)]
    assert client.writes <= 10


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.sampled_from([0, 1, 3, 1000, BUFFER_SIZE - 15, BUFFER_SIZE - 14, 20_000, 300_000]), max_size=8),
    cuts=st.lists(st.integers(0, 2**20), max_size=30),
)
def test_frames_of_any_size_in_pieces_of_any_size_are_all_answered(
    make_world: Callable[..., World], sizes: list[int], cuts: list[int]
) -> None:
    """And whatever a large frame took has been given back, or is kept for the next one."""
    world = make_world()
    client = world.client()
    bodies = [bytes([number]) * size for number, size in enumerate(sizes)]
    data = b"".join(frame(now(body), number) for number, body in enumerate(bodies))
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        client.send_bytes(data[start:end])
    assert client.replies == bodies
    client.session.rest()
    assert world.memory_used == 0


@pytest.mark.parametrize("size", [-1, 0, 7, 100 * 1024 * 1024 + 1, 2**31 - 1])
def test_a_frame_that_no_request_can_be_ends_the_connection_after_what_was_asked_before(
    world: World, size: int
) -> None:
    client = world.client()
    client.send_bytes(frame(now(b"before"), 0) + struct.pack(">i", size))
    assert client.replies == [b"before"]
    assert client.closed


def test_a_request_that_cannot_be_read_ends_the_connection(world: World) -> None:
    client = world.client()
    client.send_bytes(struct.pack(">ihhih", 10, ApiKey.PRODUCE, 3, 0, 500))
    assert client.closed
    assert not client.received


def test_http_is_answered_in_its_own_language(world: World) -> None:
    client = world.client()
    client.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 400 ")
    assert client.closed


# -- replies


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(kinds=st.lists(st.sampled_from("nnllw-"), max_size=40), chance=st.randoms(use_true_random=False))
def test_replies_leave_in_the_order_of_the_requests_in_whatever_order_they_come(
    make_world: Callable[..., World], kinds: list[str], chance: object
) -> None:
    world = make_world()
    client = world.client()
    texts = [b"%d" % number for number in range(len(kinds))]
    client.send(*(kind.encode() + text for kind, text in zip(kinds, texts, strict=True)))
    expected = [text for kind, text in zip(kinds, texts, strict=True) if kind != "-"]
    while world.handlers.pending or world.broker.tasks:
        assert client.replies == expected[: len(client.replies)], "at any time, the first of them"
        if world.broker.tasks and (not world.handlers.pending or chance.random() < 0.5):  # type: ignore[attr-defined]
            world.broker.open(world.handlers.started[-1])
        else:
            world.handlers.complete(chance.randrange(len(world.handlers.pending)))  # type: ignore[attr-defined]
        client.arrive()
    assert world.handlers.started == texts
    assert client.replies == expected
    assert not client.session.owes


def test_a_reply_that_is_there_already_when_the_handler_returns_leaves_at_once(world: World) -> None:
    client = world.client()
    done = Pending()
    done.complete(b"done")
    world.handlers.handle = lambda broker, context, body: done  # type: ignore[method-assign]
    client.send(b"anything")
    assert client.replies == [b"done"]


def test_a_request_without_a_reply_leaves_no_gap(world: World) -> None:
    client = world.client()
    client.send(now(b"a"), NO_REPLY, now(b"c"))
    assert client.replies == [b"a", b"c"]


def test_a_coroutine_holds_the_next_request(world: World) -> None:
    client = world.client()
    client.send(WAIT, now(b"after"))
    client.send(now(b"much after"))
    assert world.handlers.started == [b""]
    assert not client.reading, "its views into the buffer must not be written over"
    world.broker.open(b"waited")
    client.arrive()
    assert client.replies == [b"waited", b"after", b"much after"]
    assert client.reading


def test_a_coroutine_that_ends_lets_the_next_request_start_although_its_own_reply_must_wait(world: World) -> None:
    client = world.client()
    client.send(later(b"parked"), WAIT, now(b"next"))
    world.broker.open(b"waited")
    assert world.handlers.started == [b"parked", b"", b"next"]
    assert client.replies == []
    world.handlers.complete()
    assert client.replies == [b"parked", b"waited", b"next"]


def test_a_coroutine_may_give_a_reply_that_comes_later_still(world: World) -> None:
    client = world.client()
    client.send(WAIT, now(b"next"))
    pending = Pending()
    world.broker.open(pending)
    assert world.handlers.started == [b"", b"next"]
    pending.complete(b"at last")
    assert client.replies == [b"at last", b"next"]


def test_a_request_that_starts_alone_waits_until_nothing_is_owed(world: World) -> None:
    """What it answers with may be large: one such reply is enough to hold."""
    client = world.client()
    client.send(later(b"produce"))
    client.send(now(b"fetch"), key=ApiKey.FETCH)
    client.send(now(b"after"))
    assert world.handlers.started == [b"produce"]
    world.handlers.complete()
    assert client.replies == [b"produce", b"fetch", b"after"]


def test_a_large_reply_has_left_before_the_next_one_is_made(world: World) -> None:
    client = world.client()
    client.send(later(b"fetch"), key=ApiKey.FETCH)
    client.send(now(b"fetch"), key=ApiKey.FETCH)
    world.handlers.complete()
    assert client.writes == 2, "each by itself, and without waiting for the end of the turn"
    assert client.replies == [b"fetch", b"fetch"]


# -- what is not served


def test_an_unknown_key_ends_the_connection_after_what_was_asked_before(world: World) -> None:
    client = world.client()
    client.send(later(b"before"))
    client.send(b"", key=999)
    assert not client.closed
    world.handlers.complete()
    assert client.replies == [b"before"]
    assert client.closed


def test_api_versions_from_the_future_is_answered_in_its_turn(world: World) -> None:
    """KIP-511: version 0, the error, and what the client may ask with."""
    client = world.client()
    client.send(later(b"before"))
    client.send(b"", key=ApiKey.API_VERSIONS, version=99)
    assert not client.received
    world.handlers.complete()
    first, second = client.replies
    assert first == b"before"
    assert struct.unpack_from(">h", second) == (35,)
    assert not client.closed


# -- backpressure


def test_no_more_is_read_while_too_many_replies_are_owed(world: World) -> None:
    client = world.client()
    client.send(*(later(b"%d" % number) for number in range(REPLIES_OWED_MAX + 10)))
    assert len(world.handlers.started) == REPLIES_OWED_MAX
    assert not client.reading
    client.send(now(b"unread"))
    assert client.waiting_bytes > 0
    for _ in range(12):
        world.handlers.complete()
    client.arrive()
    assert len(world.handlers.started) == REPLIES_OWED_MAX + 11
    assert client.reading
    assert client.waiting_bytes == 0


def test_replies_that_are_there_but_not_in_turn_count_as_owed(world: World) -> None:
    client = world.client()
    client.send(*(later(b"%d" % number) for number in range(REPLIES_OWED_MAX + 1)))
    for _ in range(REPLIES_OWED_MAX - 1):
        world.handlers.complete(1)
    assert len(world.handlers.started) == REPLIES_OWED_MAX
    world.handlers.complete()
    assert len(world.handlers.started) == REPLIES_OWED_MAX + 1


def test_a_client_that_does_not_read_starts_nothing_more(world: World) -> None:
    client = world.client()
    client.session.pause_writing()
    client.send(now(b"a"), now(b"b"))
    assert world.handlers.started == []
    assert not client.reading
    client.session.resume_writing()
    assert client.replies == [b"a", b"b"]
    assert client.reading


@pytest.mark.parametrize(("key", "size", "held_max"), [(ApiKey.FETCH, 1_000_000, 1), (ApiKey.PRODUCE, 10_000, 200)])
def test_a_client_that_asks_for_much_and_reads_nothing_is_answered_little(
    make_world: Callable[..., World], key: ApiKey, size: int, held_max: int
) -> None:
    """Many requests fit into one buffer; that their replies are not read must be noticed before all are answered."""
    world = make_world(reply_backlog_bytes_max=100_000)
    client = world.client()
    client.stopped = True
    client.send(*(zeros(size) for _ in range(500)), key=key)
    assert len(world.handlers.started) <= held_max
    assert not client.reading


# -- memory


def test_a_frame_that_is_only_announced_costs_nothing(world: World) -> None:
    client = world.client()
    client.send_bytes(struct.pack(">i", 90 * 1024 * 1024) + bytes(1000))
    assert world.memory_used == 0


def test_a_large_frame_takes_memory_as_it_arrives_and_gives_it_back(world: World) -> None:
    client = world.client()
    data = frame(now(bytes(3 * KEEP_SIZE)), 0)
    client.send_bytes(data[:BUFFER_SIZE])
    assert 0 < world.memory_used <= 4 * BUFFER_SIZE
    client.send_bytes(data[BUFFER_SIZE:KEEP_SIZE])
    assert world.memory_used <= 4 * KEEP_SIZE
    client.send_bytes(data[KEEP_SIZE:])
    assert client.replies == [bytes(3 * KEEP_SIZE)]
    assert world.memory_used == 0


def test_a_buffer_of_some_size_is_kept_while_it_is_used_and_given_back_at_rest(world: World) -> None:
    client = world.client()
    client.send(now(bytes(100_000)))
    kept = world.memory_used
    assert kept > 0
    client.send(now(bytes(100_000)))
    assert world.memory_used == kept
    world.broker.clock.now += 2
    world.sessions.sweep()
    assert world.memory_used == 0


def test_a_connection_that_is_lost_gives_back_what_it_held(world: World) -> None:
    client = world.client()
    client.send_bytes(frame(now(bytes(500_000)), 0)[:400_000])
    assert world.memory_used > 0
    client.hang_up()
    assert world.memory_used == 0


def test_large_frames_wait_for_one_another_and_one_at_a_time_may_pass_the_bound(
    make_world: Callable[..., World],
) -> None:
    world = make_world(request_memory_bytes_max=2 * 1024 * 1024)
    clients = [world.client() for _ in range(4)]
    data = frame(now(bytes(3_000_000)), 0)
    for client in clients:
        client.send_bytes(data[:-1])
    assert sum(client.waiting_bytes > 0 for client in clients) >= 2, "those have to wait"
    assert world.memory_used <= 2 * 1024 * 1024 + 4_000_000
    for _ in clients:
        for client in clients:
            if client.waiting_bytes == 0 and not client.replies:
                client.send_bytes(data[-1:])
        world.broker.turn()
        for client in clients:
            client.arrive()
    assert [len(client.replies) for client in clients] == [1, 1, 1, 1]
    assert world.memory_used == 0


def test_who_can_do_with_less_gives_back_what_others_wait_for(make_world: Callable[..., World]) -> None:
    """Else busy sessions that keep their buffers would starve a newcomer for ever."""
    world = make_world(request_memory_bytes_max=1024 * 1024)
    keepers = [world.client() for _ in range(5)]
    for keeper in keepers:
        keeper.send(now(bytes(200_000)))
    newcomer = world.client()
    newcomer.send(now(bytes(900_000)))
    for _ in range(3):
        for keeper in keepers:
            keeper.send(now(b"small"))
        world.broker.turn()
        newcomer.arrive()
    assert len(newcomer.replies) == 1


# -- failures


@pytest.mark.parametrize("mistake", [FAIL, now(b"cannot be encoded"), later(b"cannot be encoded"), WAIT])
def test_a_handler_that_fails_ends_its_own_connection_and_no_other(
    world: World, mistake: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    victim, bystander = world.client(), world.client()
    bystander.send(later(b"parked"))
    victim.send(now(b"before"), mistake, now(b"after"))
    if world.broker.tasks:
        world.broker.open(ValueError("a coroutine that fails"))
    if len(world.handlers.pending) > 1:
        world.handlers.complete(1)
    assert victim.closed
    assert victim.replies == [b"before"]
    assert any(record.exc_info for record in caplog.records), "the log has the traceback"
    world.handlers.complete()
    bystander.send(now(b"next"))
    assert bystander.replies == [b"parked", b"next"]


def test_a_lost_connection_cancels_what_it_waits_for(world: World) -> None:
    client = world.client()
    client.send(later(b"a"), later(b"b"), WAIT)
    client.hang_up()
    assert world.handlers.cancelled == [b"a", b"b"]
    pending = Pending(on_cancel=lambda: world.handlers.cancelled.append(b"c"))
    world.broker.open(pending)
    assert world.handlers.cancelled == [b"a", b"b", b"c"]
    world.handlers.complete()
    assert not client.received


def test_a_client_that_hangs_up_while_its_reply_waits_keeps_nobody_elses(world: World) -> None:
    """uvloop refuses to write to a connection that is closed; the replies of a turn leave all the same."""
    first, second, third = clients = [world.client() for _ in range(3)]
    for client in clients:
        client.send(later(b"x"))
    for _ in clients:
        world.handlers.complete()
    second.hang_up()
    second.closed = True
    world.broker.turn()
    assert (bool(first.received), bool(second.received), bool(third.received)) == (True, False, True)
    third.send(now(b"y"))
    assert third.replies == [b"x", b"y"]


def test_a_handler_may_close_its_connection(world: World) -> None:
    """As a failed Produce with acks=0 does: what was answered before is sent, what comes after does not start."""
    client = world.client()
    client.send(now(b"before"), CLOSE, now(b"after"))
    assert client.closed
    assert client.replies == [b"before"]


def test_a_reply_that_comes_after_the_connection_was_closed_goes_nowhere(world: World) -> None:
    client = world.client()
    client.send(later(b"too late"), CLOSE)
    world.handlers.complete()
    assert client.closed
    assert not client.received


# -- all sessions together


def test_one_connection_too_many_is_closed_at_once(make_world: Callable[..., World]) -> None:
    world = make_world(connections_max=2)
    first, _, third = world.client(), world.client(), world.client()
    assert third.aborted
    third.hang_up()
    first.hang_up()
    assert not world.client().aborted, "there is room again"


def advance(world: World, seconds: float) -> None:
    world.broker.clock.now += seconds
    world.sessions.sweep()


def test_a_silent_connection_is_closed_and_a_long_poll_is_not(world: World) -> None:
    """Kafka: connections.max.idle.ms."""
    silent, waiting = world.client(), world.client()
    waiting.send(later(b"long poll"))
    advance(world, 599)
    assert not silent.closed
    advance(world, 2)
    assert silent.closed
    assert not waiting.closed


def test_half_a_request_followed_by_silence_is_not_held_for_ever(world: World) -> None:
    client = world.client()
    client.send_bytes(THREE[:-1])
    advance(world, 59)
    assert not client.aborted
    advance(world, 2)
    assert client.aborted


def test_a_whole_request_that_waits_for_its_turn_is_not_half_a_request(world: World) -> None:
    client = world.client()
    client.send(later(b"long poll"))
    client.send(now(b"fetch"), key=ApiKey.FETCH)
    advance(world, 120)
    assert not client.aborted


def test_a_request_that_waits_for_memory_is_not_its_clients_fault(make_world: Callable[..., World]) -> None:
    world = make_world(request_memory_bytes_max=1024 * 1024)
    holder, waiter = world.client(), world.client()
    holder.send_bytes(frame(now(bytes(3_000_000)), 0)[:-1])
    waiter.send_bytes(frame(now(bytes(3_000_000)), 0)[:-1])
    assert waiter.waiting_bytes
    advance(world, 61)
    assert holder.aborted
    assert not waiter.aborted


def test_a_client_that_reads_slowly_is_served_and_one_that_stopped_is_not(world: World) -> None:
    client = world.client()
    client.unsent = 50_000_000
    client.session.pause_writing()
    for _ in range(5):
        advance(world, 50)
        assert not client.aborted
        client.unsent -= 1_000_000
    advance(world, 50)
    advance(world, 61)
    assert client.aborted


def test_a_connection_that_cannot_be_closed_politely_is_closed_otherwise(world: World) -> None:
    client = world.client()
    client.unsent = 1000
    client.session.close("for a reason")
    advance(world, 61)
    assert client.aborted


async def test_a_stop_starts_nothing_more_and_waits_for_what_is_owed(world: World) -> None:
    client = world.client()
    client.send(later(b"owed"))
    settling = asyncio.ensure_future(world.sessions.settle(10))
    await asyncio.sleep(0)
    client.send(now(b"too late"))
    assert world.handlers.started == [b"owed"]
    world.handlers.complete()
    await settling
    world.sessions.close_all()
    assert client.replies == [b"owed"]
    assert client.closed


async def test_a_stop_does_not_wait_longer_than_it_may(world: World) -> None:
    client = world.client()
    client.send(later(b"never"))
    await world.sessions.settle(0.0)
    world.sessions.close_all()
    assert client.closed


def test_a_coroutine_that_ends_during_a_stop_starts_nothing(world: World) -> None:
    client: Client = world.client()
    client.send(WAIT, now(b"next"))
    client.session.drain()
    world.broker.open(b"owed")
    assert client.replies == [b"owed"]
    assert world.handlers.started == [b""]
