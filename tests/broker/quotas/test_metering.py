"""What a metered client's requests use, and what its replies and its connection are told."""

from __future__ import annotations

import asyncio
from types import CoroutineType

import pytest

from drave.broker.quotas import Limits, MeteredWay, Rate, Windows, can_be_metered
from drave.wire.api import ApiKey
from drave.wire.messages.k00_produce import ProduceResponse
from drave.wire.messages.k12_heartbeat import HeartbeatResponse
from drave.wire.messages.k78_share_fetch import ShareFetchResponse

WINDOWS = Windows(count=11, ms=1000)
FRAME = bytes(5000)


class Stage:
    """A clock, a connection, and a way whose steps take as long as a test says."""

    alone = False
    version = 3

    def __init__(self, key, **limits):
        self.key = key
        self.now = 1000.0
        self.muted_s = []
        self.takes_s = {"decode": 0.0, "handler": 0.0, "encode": 0.0}
        self.answer = "an answer"
        self.told = None
        self.metered = MeteredWay(self, Limits(**limits), self, self)

    def monotonic(self):
        return self.now

    def mute(self, wait_s):
        self.muted_s.append(wait_s)

    def _take(self, step):
        self.now += self.takes_s[step]

    def decode(self, frame, at):
        self._take("decode")
        return "a request", len(frame)

    def handler(self, broker, context, request):
        self._take("handler")
        return self.answer

    def encode(self, correlation_id, response):
        self._take("encode")
        self.told = response.throttle_time_ms
        return [b"reply"]

    def ask(self):
        """The two steps of a session with a request."""
        self.metered.decode(FRAME, 20)
        return self.metered.handler(None, None, "a request")

    def reply(self, response):
        assert self.metered.encode(7, response) == [b"reply"]
        return self.told


def produce_response(throttle_time_ms=0):
    return ProduceResponse(responses=[], throttle_time_ms=throttle_time_ms)


def test_a_producer_within_its_rate_is_told_nothing():
    stage = Stage(ApiKey.PRODUCE, produce=Rate(1000, WINDOWS))
    assert stage.ask() == "an answer"
    assert stage.reply(produce_response()) == 0
    assert stage.muted_s == []


def test_a_producer_over_its_rate_is_told_to_wait_and_is_muted_for_as_long():
    """KIP-219: at once, and not only when its reply is durable."""
    stage = Stage(ApiKey.PRODUCE, produce=Rate(1000, WINDOWS))
    for _ in range(2):
        stage.ask()
    assert stage.muted_s == []
    stage.ask()
    assert stage.muted_s == [5.0]
    assert stage.reply(produce_response()) == 5000
    assert max(stage.muted_s) == 5.0


def test_a_producer_who_wants_no_answer_is_muted_all_the_same():
    stage = Stage(ApiKey.PRODUCE, produce=Rate(1000, WINDOWS))
    stage.answer = None
    for _ in range(3):
        assert stage.ask() is None
    assert stage.muted_s == [5.0]


def test_only_produced_bytes_count_as_produced():
    rate = Rate(1000, WINDOWS)
    stage = Stage(ApiKey.HEARTBEAT, produce=rate)
    for _ in range(3):
        stage.ask()
    assert stage.reply(HeartbeatResponse()) == 0
    assert rate.is_idle(stage.now * 1000)


def test_the_longest_wait_is_told():
    """A handler may have one of its own: fetched bytes, changes of the catalog."""
    stage = Stage(ApiKey.PRODUCE, produce=Rate(1000, WINDOWS))
    for _ in range(3):
        stage.ask()
    assert stage.reply(produce_response(throttle_time_ms=7000)) == 7000
    assert stage.muted_s == [5.0, 7.0]


def test_request_time_is_what_reading_handling_and_writing_take():
    """Percent of a second: 1 is 100 ms in the ten seconds that count for who has just come."""
    request = Rate(1, WINDOWS)
    stage = Stage(ApiKey.HEARTBEAT, request=request)
    stage.takes_s = {"decode": 0.01, "handler": 0.05, "encode": 0.03}
    stage.ask()
    assert stage.reply(HeartbeatResponse()) == 0
    assert request.wait_ms(stage.now * 1000) == 0
    stage.takes_s = {"decode": 0.0, "handler": 0.02, "encode": 0.0}
    stage.ask()
    assert stage.reply(HeartbeatResponse()) > 0


def test_no_wait_for_request_time_is_longer_than_a_window():
    stage = Stage(ApiKey.HEARTBEAT, request=Rate(0.001, WINDOWS))
    stage.takes_s["handler"] = 1.0
    stage.ask()
    assert stage.reply(HeartbeatResponse()) == 1000


def test_who_wants_no_answer_does_not_wait_for_request_time():
    """As in Kafka; its bytes are what holds it."""
    stage = Stage(ApiKey.PRODUCE, request=Rate(0.001, WINDOWS))
    stage.answer = None
    stage.takes_s["handler"] = 1.0
    stage.ask()
    assert stage.muted_s == []


class Steps:
    """A handler that waits in the middle; its steps take time, and so does what it waits for."""

    def __init__(self, stage, failing=False):
        self.stage = stage
        self.gate = asyncio.get_running_loop().create_future()
        self.failing = failing

    async def run(self):
        self.stage.now += 0.02
        got = await self.gate
        self.stage.now += 0.03
        if self.failing:
            raise RuntimeError("not my day")
        return got


async def test_the_steps_of_a_coroutine_count_and_what_it_waits_for_does_not():
    stage = Stage(ApiKey.HEARTBEAT, request=Rate(1000, WINDOWS))
    steps = Steps(stage)
    stage.answer = steps.run()
    work = stage.ask()
    assert type(work) is CoroutineType, "what a session takes for one"
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    stage.now += 5
    steps.gate.set_result("an answer")
    assert await task == "an answer"
    spent = sum(window.used for window in stage.metered._limits.request._past)
    assert spent == pytest.approx(5.0)


async def test_a_coroutine_that_fails_or_is_cancelled_does_so_as_if_nobody_counted():
    stage = Stage(ApiKey.HEARTBEAT, request=Rate(1000, WINDOWS))
    failing, cancelled = Steps(stage, failing=True), Steps(stage)
    tasks = []
    for steps in (failing, cancelled):
        stage.answer = steps.run()
        tasks.append(asyncio.ensure_future(stage.ask()))
    await asyncio.sleep(0)
    failing.gate.set_result(None)
    tasks[1].cancel()
    with pytest.raises(RuntimeError, match="not my day"):
        await tasks[0]
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]


async def test_a_failure_of_what_a_coroutine_waits_for_reaches_it():
    stage = Stage(ApiKey.HEARTBEAT, request=Rate(1000, WINDOWS))
    gate = asyncio.get_running_loop().create_future()

    async def run():
        try:
            await gate
        except OSError as error:
            return f"seen: {error}"

    stage.answer = run()
    task = asyncio.ensure_future(stage.ask())
    await asyncio.sleep(0)
    gate.set_exception(OSError("gone"))
    assert await task == "seen: gone"


def test_what_a_share_consumer_acquires_is_sent_and_waited_for_afterwards():
    """It is nobody else's meanwhile, so to keep it back would help nobody."""
    stage = Stage(ApiKey.SHARE_FETCH, fetch=Rate(1, Windows(count=2, ms=1000)))
    stage.ask()
    assert stage.reply(ShareFetchResponse(acquisition_lock_timeout_ms=0, responses=[], node_endpoints=[])) == 4000
    assert stage.muted_s == [4.0]


def test_only_who_can_be_told_to_wait_is_metered():
    assert can_be_metered(ApiKey.PRODUCE)
    assert not can_be_metered(ApiKey.WRITE_TXN_MARKERS)
