"""A topic with a delay: its records are there for consumers when they are old enough, and not before."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.log import OffsetOutOfRange
from drave.log.delivery import AHEAD_MAX, PAUSE_S, WAIT_S_MAX
from drave.log.flusher import Work
from drave.log.housekeeping import keep_house
from drave.model.log_config import LogConfig
from drave.records import ControlKind
from tests.log.still import RIDES, Still, batch
from tests.log.world import finish

MINUTE = 60_000
DELAYED = LogConfig(delivery_delay_ms=MINUTE)


class Delayed(Still):
    """Logs with a delay, whose records have the clock's time unless a test says otherwise."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**{"config": DELAYED, **more})

    def write(self, *values: bytes, timestamp: int | None = None, **more: Any) -> None:
        self.append(batch(*values, timestamp=self.clock.now_ms if timestamp is None else timestamp, **more))
        self.logs.flush()

    def later(self, ms: int) -> None:
        """Time goes on, and what is due is delivered."""
        self.clock.now_ms += ms
        self.logs.flush()

    def delay(self, ms: int) -> None:
        config = dataclasses.replace(self.log.config, delivery_delay_ms=ms)
        self.topics[RIDES] = dataclasses.replace(self.topics[RIDES], config=config)
        self.logs.configure(RIDES, config)
        self.logs.flush()

    def mark(self, kind: ControlKind, producer: int) -> None:
        self.log.append_marker(kind, producer, 0, 0, now_ms=self.clock.now_ms, transaction_version=1)
        self.logs.flush()


def test_a_record_is_acknowledged_at_once_and_seen_after_the_delay() -> None:
    still = Delayed()
    still.append(batch(b"a", timestamp=still.clock.now_ms))
    told: list[str] = []
    still.log.when_durable(1, lambda: told.append("durable"))
    still.logs.flush()
    assert told == ["durable"]
    assert (still.log.durable, still.log.high_watermark, still.log.last_stable, still.log.end) == (1, 0, 0, 1)
    still.later(MINUTE - 1)
    assert still.read() == []
    still.later(1)
    assert still.read() == [b"a"]
    assert still.log.high_watermark == still.log.last_stable == 1


def test_those_who_read_and_wait_hear_of_what_is_due_and_not_of_what_is_written() -> None:
    still = Delayed()
    heard: list[int] = []
    still.log.on_advance = lambda log: heard.append(log.high_watermark)
    still.write(b"a")
    still.later(10)
    still.write(b"b", b"c")
    assert heard == []
    still.later(MINUTE)
    assert heard[-1] == 3


def test_a_batch_waits_for_its_newest_record_and_for_those_before_it() -> None:
    """A log has one order: what is older and stands behind is not seen earlier."""
    still = Delayed()
    still.write(b"ahead", timestamp=still.clock.now_ms + MINUTE)
    still.write(b"old", timestamp=still.clock.now_ms - MINUTE)
    assert still.read() == []
    still.later(2 * MINUTE - 1)
    assert still.read() == []
    still.later(1)
    assert still.read() == [b"ahead", b"old"]


def test_a_record_that_is_old_enough_when_it_comes_is_seen_at_once() -> None:
    still = Delayed()
    still.write(b"a", timestamp=still.clock.now_ms - MINUTE)
    assert still.read() == [b"a"]


def test_a_record_without_a_timestamp_does_not_wait() -> None:
    still = Delayed()
    still.write(b"a", timestamp=-1)
    assert still.read() == [b"a"]


def test_an_offset_that_is_not_due_may_be_asked_for_and_gives_nothing() -> None:
    still = Delayed()
    still.write(b"a")
    still.write(b"b")
    found = still.log.read_now(1, bytes_max=1000, limit=still.log.high_watermark, whole_first=True)
    assert found is not None
    assert found.parts == []


def test_a_look_up_by_time_finds_what_is_due_only() -> None:
    still = Delayed()
    still.write(b"a")
    written = still.clock.now_ms
    still.later(10)
    still.write(b"b")
    assert finish(still.log.offset_for_time(0)) is None
    assert finish(still.log.max_timestamp()) is None
    still.later(MINUTE - 10)
    found = finish(still.log.max_timestamp())
    assert found is not None
    assert (found.offset, found.timestamp) == (0, written)
    assert finish(still.log.offset_for_time(written + 1)) is None


# -- transactions


def test_a_transaction_that_ends_after_its_records_were_due_is_seen_when_it_ends() -> None:
    still = Delayed()
    still.write(b"a", producer=7, epoch=0, sequence=0, transactional=True)
    still.later(MINUTE)
    assert (still.log.high_watermark, still.log.last_stable) == (1, 0)
    heard: list[tuple[int, int]] = []
    still.log.on_advance = lambda log: heard.append((log.high_watermark, log.last_stable))
    still.mark(ControlKind.COMMIT, 7)
    assert heard == [(1, 1)]
    still.later(MINUTE)
    assert (still.log.high_watermark, still.log.last_stable) == (2, 2)


def test_a_transaction_that_ended_long_ago_is_seen_when_its_records_are_due() -> None:
    still = Delayed()
    still.write(b"a", producer=7, epoch=0, sequence=0, transactional=True)
    still.later(1000)
    still.mark(ControlKind.ABORT, 7)
    still.later(MINUTE - 1000)
    assert (still.log.high_watermark, still.log.last_stable) == (1, 1)
    found = still.log.read_now(0, bytes_max=1000, limit=1, whole_first=True, committed=True)
    assert found is not None
    assert [each.producer_id for each in found.aborted] == [7], (
        "its marker is not seen yet, and it is known all the same"
    )


# -- another delay


def test_a_longer_delay_takes_nothing_back() -> None:
    still = Delayed()
    still.write(b"a")
    still.later(MINUTE)
    still.write(b"b")
    still.delay(10 * MINUTE)
    assert still.read() == [b"a"]
    still.later(10 * MINUTE - 1)
    assert still.read() == [b"a"]
    still.later(1)
    assert still.read() == [b"a", b"b"]


@pytest.mark.parametrize("ms", [0, 500])
def test_a_shorter_delay_counts_for_what_is_there(ms: int) -> None:
    still = Delayed()
    still.write(b"a")
    still.later(500)
    still.write(b"b")
    still.delay(ms)
    assert still.read() == ([b"a"] if ms else [b"a", b"b"])


def test_without_a_delay_what_is_written_is_seen_though_its_timestamp_is_ahead() -> None:
    still = Delayed()
    still.write(b"a", timestamp=still.clock.now_ms + MINUTE)
    still.delay(0)
    assert still.read() == [b"a"]
    still.write(b"b", timestamp=still.clock.now_ms + MINUTE)
    assert still.read() == [b"a", b"b"]


def test_a_topic_that_is_given_a_delay_shows_what_it_has_shown() -> None:
    still = Delayed(config=LogConfig())
    still.write(b"a")
    still.delay(MINUTE)
    still.write(b"b")
    assert still.read() == [b"a"]
    still.later(MINUTE)
    assert still.read() == [b"a", b"b"]


# -- another life


@pytest.mark.parametrize("end", ["stop", "kill", "power cut"])
def test_a_restart_knows_what_was_due_and_what_was_not(end: str) -> None:
    still = Delayed(config=dataclasses.replace(DELAYED, segment_bytes=300, index_interval_bytes=50))
    for number in range(20):
        still.write(b"%d" % number)
        still.later(1000)
    still.write(b"open", producer=7, epoch=0, sequence=0, transactional=True)
    still.later(MINUTE - 10_000)
    seen = still.read()
    assert seen == [b"%d" % number for number in range(11)]
    if end == "stop":
        finish(still.logs.close())
        still.open()
    elif end == "kill":
        still.kill()
    else:
        still.power_cut()
    assert still.read() == seen
    assert still.log.last_stable == still.log.high_watermark
    still.later(10_000)
    assert still.read()[-1] == b"open"
    assert still.log.last_stable == 20, "the open transaction is known, too"


# -- who must not run ahead


def test_retention_begins_when_a_record_can_be_seen() -> None:
    still = Delayed(config=dataclasses.replace(DELAYED, retention_ms=1000))
    still.write(b"a")

    def kept() -> bool:
        keep_house(still.log, still.logs._shared, still.clock.now_ms)
        still.logs.flush()
        return still.log.start == 0

    still.later(MINUTE - 1)
    assert kept()
    still.later(1000)
    assert kept()
    assert still.read() == [b"a"]
    still.later(2)
    assert not kept()


def test_retention_by_size_leaves_what_nobody_could_see() -> None:
    still = Delayed(config=dataclasses.replace(DELAYED, retention_bytes=0, segment_bytes=100))
    for _ in range(3):
        still.write(b"x" * 50)
    keep_house(still.log, still.logs._shared, still.clock.now_ms)
    still.logs.flush()
    assert still.log.start == 0


def test_records_that_nobody_could_see_are_not_deleted_by_request() -> None:
    still = Delayed()
    still.write(b"a")
    with pytest.raises(OffsetOutOfRange):
        still.logs.delete_records(still.log, 1)


def test_a_topic_that_is_deleted_is_not_waited_for() -> None:
    still = Delayed()
    still.write(b"a")
    log = still.log
    still.logs.remove_topic(RIDES)
    still.later(MINUTE)
    assert log.high_watermark == 0


# -- a broker that runs


class Timers:
    """A scheduler whose timers a test lets happen."""

    def __init__(self, still: Still) -> None:
        self._still = still
        self.waits: list[tuple[float, Callable[[], None]]] = []
        self.soon: list[Callable[[], None]] = []

    def time(self) -> float:
        return self._still.clock.monotonic()

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> None:
        self.soon.append(lambda: callback(*args))

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timers.Timer:
        timer = self.Timer()
        self.waits.append((delay, lambda: None if timer.cancelled else callback(*args)))
        return timer

    class Timer:
        cancelled = False

        def cancel(self) -> None:
            self.cancelled = True


class Lane:
    """A lane beside the loop that fails as often as it is told to."""

    def __init__(self, done: Callable[[Work, BaseException | None], None], failures: list[OSError]) -> None:
        self._done = done
        self._failures = failures
        self.looks = 0

    def give(self, work: Work) -> None:
        self.looks += 1
        error = self._failures.pop() if self._failures else None
        if error is None:
            work.run()
        self._done(work, error)

    def stop(self, *, wait: bool) -> None:
        pass


class Running(Delayed):
    """The same with timers."""

    def __init__(self, *failures: OSError, **more: Any) -> None:
        super().__init__(**more)
        self.timers = Timers(self)
        self.lanes: list[Lane] = []
        self.failures = list(failures)
        self.logs._shared.deliveries.start(self.timers, self.open_lane)

    def open_lane(self, name: str, done: Callable[[Work, BaseException | None], None], _: object) -> Lane:
        self.lanes.append(Lane(done, self.failures))
        return self.lanes[-1]

    def write(self, *values: bytes, timestamp: int | None = None, **more: Any) -> None:
        self.append(batch(*values, timestamp=self.clock.now_ms if timestamp is None else timestamp, **more))
        self.commit()
        self.turn()

    def turn(self) -> None:
        while self.timers.soon:
            self.timers.soon.pop(0)()

    def wait(self) -> float:
        """Let the timers that are set now happen; returns the last wait."""
        waits, self.timers.waits = self.timers.waits, []
        for _, callback in waits:
            callback()
            self.turn()
        return waits[-1][0]


def test_a_timer_waits_for_the_first_batch_and_takes_along_those_that_come_at_once() -> None:
    still = Running()
    still.write(b"a")
    assert [seconds for seconds, _ in still.timers.waits] == [MINUTE / 1000]
    for _ in range(9):
        still.clock.now_ms += 1
        still.write(b"b")
    assert len(still.timers.waits) == 1
    still.clock.now_ms += MINUTE
    still.wait()
    assert still.log.high_watermark == 10
    assert still.lanes[0].looks == 2, "one for the first batch, one for all that came behind it"


def test_a_timer_that_comes_too_early_delivers_nothing() -> None:
    """The clock on the wall may be set back, and a timer trusts it for a minute at most."""
    still = Running(config=LogConfig(delivery_delay_ms=60 * MINUTE))
    still.write(b"a")
    assert still.wait() == WAIT_S_MAX
    assert still.log.high_watermark == 0
    still.clock.now_ms += 60 * MINUTE
    still.wait()
    assert still.log.high_watermark == 1


def test_deliveries_of_one_partition_are_not_closer_than_a_pause() -> None:
    still = Running()
    still.clock.now_ms += 1
    still.write(b"a")
    still.write(b"b", timestamp=still.clock.now_ms + 1)
    still.write(b"c", timestamp=still.clock.now_ms + 2)
    still.clock.now_ms += MINUTE
    still.wait()
    still.clock.now_ms += 1
    assert still.wait() == PAUSE_S


def test_more_batches_than_are_known_at_once_are_delivered_in_their_time() -> None:
    still = Running()
    count = 2 * AHEAD_MAX + 10
    begin = still.clock.now_ms
    for number in range(count):
        still.write(b"%d" % number, timestamp=begin + 10 * number)
    for number in range(count):
        still.clock.now_ms = begin + MINUTE + 10 * number
        still.wait()
        assert still.log.high_watermark >= number
        assert still.log.high_watermark <= number + 1
    assert still.log.high_watermark == count
    assert still.lanes[0].looks <= 5


def test_a_look_that_the_disk_refuses_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    still = Running(OSError("not now"))
    still.write(b"a")
    assert "what is due in it is not known yet: not now" in caplog.text
    still.wait()
    still.clock.now_ms += MINUTE
    still.wait()
    assert still.log.high_watermark == 1


def test_after_a_stop_nothing_is_delivered_any_more() -> None:
    still = Running()
    still.write(b"a")
    still.logs._shared.deliveries.stop(wait=True)
    still.clock.now_ms += MINUTE
    still.wait()
    assert still.log.high_watermark == 0


# -- whatever happens

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(-2000, 2000)),
        st.tuples(st.just("later"), st.integers(0, 1500)),
        st.tuples(st.just("delay"), st.sampled_from([0, 1, 700, 3000])),
        st.tuples(st.just("kill"), st.just(0)),
        st.tuples(st.just("roll"), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([1, 40, 10_000]))
def test_what_is_seen_is_what_is_due_in_the_order_of_the_log(steps: list[tuple[str, int]], interval: int) -> None:
    """Against a model that looks at every record. A restart may forget what a shorter delay had shown before."""
    still = Delayed(config=LogConfig(delivery_delay_ms=1000, segment_bytes=400, index_interval_bytes=interval))
    stamps: list[int] = []
    seen = 0
    delay = 1000
    for what, number in steps:
        match what:
            case "write":
                stamps.append(still.clock.now_ms + number)
                still.write(b"%d" % len(stamps), timestamp=stamps[-1])
            case "later":
                still.later(number)
            case "delay":
                delay = number
                still.delay(number)
            case "kill":
                seen = 0
                still.kill()
            case _:
                if still.log.files is not None and still.log.files.active is not None and still.log.files.active.size:
                    still.log.roll()
        due = 0
        while due < len(stamps) and (not delay or stamps[due] + delay <= still.clock.now_ms):
            due += 1
        seen = max(seen, due)
        assert still.log.high_watermark == still.log.last_stable == seen
        assert len(still.read()) == seen
