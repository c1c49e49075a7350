"""`python -m bench.scale`: what very many of something cost Drave, in time, memory and delay.

    10,000 partitions      made, written to one after the other, in one request, stop, start
    100,000 producers      in one partition, and in a hundred: written, stop, start
    1,000,000 keys         written three times, compacted

While each step runs, somebody else asks the broker the smallest question there is, again and again: the longest answer
says how long the loop was held. Memory is resident, after the step.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click

from bench import frames, topics
from bench.brokers import Drave
from bench.wire import Wire, Wrong

RESULTS: Final = Path("bench-results")
QUESTION_PAUSE_S: Final = 0.002
WINDOW: Final = 200
"""Requests under way at once."""
PARTITIONS_OF_PRODUCERS: Final = 100
RECORDS_A_BATCH: Final = 500
VALUE: Final = bytes(70)
KEY_BYTES: Final = 12
STILL_S: Final = 20.0
POLL_S: Final = 0.1
PATIENCE_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the table."""

    what: str
    seconds: float
    memory_mb: float
    longest_ms: float | None
    """The longest answer to somebody else meanwhile; None where the broker was not there to ask."""


class Passerby:
    """Asks the smallest question again and again, and remembers how long the answers took."""

    def __init__(self, port: int) -> None:
        self.took_s: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(port,), daemon=True)
        self._thread.start()

    def _ask(self, port: int) -> None:
        with Wire(port) as wire:
            while not self._ended.wait(QUESTION_PAUSE_S):
                began = time.perf_counter()
                wire.ask(frames.api_versions())
                self.took_s.append(time.perf_counter() - began)

    def end(self) -> float:
        """The longest of them, in milliseconds."""
        self._ended.set()
        self._thread.join()
        return max(self.took_s, default=0.0) * 1000


class Table:
    """Steps as they come."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    @contextmanager
    def step(self, what: str, broker: Drave, *, asks: bool = True) -> Iterator[None]:
        passerby = Passerby(broker.port) if asks else None
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        longest = passerby.end() if passerby is not None else None
        self.add(Step(what, seconds, _memory(broker), longest))

    def add(self, step: Step) -> None:
        self.steps.append(step)
        delay = "" if step.longest_ms is None else f"{step.longest_ms:9.1f} ms"
        click.echo(f"{step.what:52} {step.seconds:8.2f} s {step.memory_mb:8.0f} MB {delay:>14}")


def _memory(broker: Drave) -> float:
    try:
        return broker.resident_bytes() / 1e6
    except (OSError, RuntimeError):
        return 0.0


def _stop_and_start(table: Table, broker: Drave, what: str) -> None:
    with table.step(f"{what}: stop", broker, asks=False):
        broker.stop(timeout_s=PATIENCE_S)
    with table.step(f"{what}: start, first answer", broker, asks=False):
        broker.start()


# -- partitions


def partitions(table: Table, broker: Drave, count: int) -> None:
    what = f"{count:,} partitions"
    with table.step(f"{what}: made", broker):
        topic = topics.make(broker.bootstrap, partitions=count)
    with table.step(f"{what}: first batch in each", broker):
        _write_to_each(broker.port, topic, count)
    with table.step(f"{what}: one more in each, a thousand a request", broker):
        for first in range(0, count, 1000):
            _write_at_once(broker.port, topic, range(first, min(first + 1000, count)))
    _stop_and_start(table, broker, what)
    with table.step(f"{what}: one more in each, after the start", broker):
        _write_to_each(broker.port, topic, count)
    _stop_and_start(table, broker, f"{what}, all written to")


def _batch() -> bytes:
    return bytes(frames.batch(VALUE, timestamp_ms=time.time_ns() // 1_000_000))


def _write_to_each(port: int, topic: str, count: int) -> None:
    batch = _batch()
    _pipeline(port, topic, (frames.ProduceFrame.of(topic, index, batch) for index in range(count)))


def _write_at_once(port: int, topic: str, indexes: range) -> None:
    batch = _batch()
    frame, _ = frames.produce(topic, dict.fromkeys(indexes, batch))
    with Wire(port, reply_bytes_max=1 << 20) as wire:
        reply = wire.ask(frame)
    wrong = [index for index, error, _ in frames.parse_produce_many(reply, topic) if error]
    if wrong:
        raise Wrong(f"partitions {wrong[:5]} of {topic} took nothing")


def _pipeline(port: int, topic: str, requests: Iterator[frames.ProduceFrame]) -> None:
    """Send them with a window of some under way, and check every answer."""
    reply = frames.ProduceReply(topic)
    with Wire(port) as wire:
        under_way = 0
        for request in requests:
            wire.send(request.frame)
            under_way += 1
            if under_way == WINDOW:
                _check(wire, reply)
                under_way -= 1
        for _ in range(under_way):
            _check(wire, reply)


def _check(wire: Wire, reply: frames.ProduceReply) -> None:
    size = wire.receive()
    if size != reply.size or reply.parse(wire.buffer)[1]:
        raise Wrong(f"a reply of {size} bytes, {reply.size} expected, or an error in it: {bytes(wire.buffer[:64])!r}")


# -- producers


def producers(table: Table, broker: Drave, count: int, spread: int) -> None:
    what = f"{count:,} producers in {spread} partition{'s' * (spread > 1)}"
    topic = topics.make(broker.bootstrap, partitions=spread)
    with table.step(f"{what}: two batches each", broker):
        for sequence in (0, 1):
            _pipeline(broker.port, topic, _batches_of_producers(topic, count, spread, sequence))
    _stop_and_start(table, broker, what)
    with table.step(f"{what}: one more each", broker):
        _pipeline(broker.port, topic, _batches_of_producers(topic, count, spread, 2))


def _batches_of_producers(topic: str, count: int, spread: int, sequence: int) -> Iterator[frames.ProduceFrame]:
    now = time.time_ns() // 1_000_000
    batch = bytes(frames.batch(VALUE, timestamp_ms=now, producer_id=0, producer_epoch=0))
    each = [frames.ProduceFrame.of(topic, index, batch) for index in range(spread)]
    for frame in each:
        frame.sequence(sequence)
    for producer_id in range(count):
        frame = each[producer_id % spread]
        frame.producer(1_000_000_000 + producer_id, 0)
        yield frame


# -- keys


def keys(table: Table, broker: Drave, count: int) -> None:
    """Each written three times; then until nothing is dirty any more."""
    what = f"{count:,} keys"
    configs = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.01",
        "segment.bytes": str(max(1 << 20, count * 24)),
    }
    topic = topics.make(broker.bootstrap, partitions=1, configs=configs)
    with table.step(f"{what}: written three times", broker):
        for _ in range(3):
            _pipeline(broker.port, topic, _batches_of_keys(topic, count))
    folder = broker.data / "topics" / f"{topic}-0"
    before = _log_bytes(folder)
    with table.step(f"{what}: compacted from {before / 1e6:.0f} MB", broker):
        after = _until_still(lambda: _log_bytes(folder), below=before)
    click.echo(f"{'':52} to {after / 1e6:.0f} MB")


def _batches_of_keys(topic: str, count: int) -> Iterator[frames.ProduceFrame]:
    now = time.time_ns() // 1_000_000
    for first in range(0, count, RECORDS_A_BATCH):
        names = [b"%0*d" % (KEY_BYTES, number) for number in range(first, min(first + RECORDS_A_BATCH, count))]
        batch = frames.batch(*[VALUE] * len(names), timestamp_ms=now, keys=names)
        yield frames.ProduceFrame.of(topic, 0, bytes(batch))


def _log_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.log"))


def _until_still(measured: Callable[[], int], *, below: int) -> int:
    """Until a figure has fallen below that, and has not changed for a while; the wait is part of what is measured."""
    began = since = time.monotonic()
    value = measured()
    while value >= below or time.monotonic() - since < STILL_S:
        if time.monotonic() - began > PATIENCE_S:
            raise Wrong(f"it was still {value:,} after {PATIENCE_S:.0f} seconds, and had been {below:,}")
        time.sleep(POLL_S)
        if (now := measured()) != value:
            value, since = now, time.monotonic()
    return value


# -- all of it

PARTS: Final[dict[str, Callable[[Table, Drave, float], None]]] = {
    "partitions": lambda table, broker, share: partitions(table, broker, int(10_000 * share)),
    "producers": lambda table, broker, share: producers(table, broker, int(100_000 * share), 1),
    "spread": lambda table, broker, share: producers(table, broker, int(100_000 * share), PARTITIONS_OF_PRODUCERS),
    "keys": lambda table, broker, share: keys(table, broker, int(1_000_000 * share)),
}


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="Only this part (repeatable).")
@click.option("--share", default=1.0, show_default=True, help="So much of the full number.")
@click.option("--durability", default="fsync", show_default=True, type=click.Choice(["fsync", "os"]))
def main(only: tuple[str, ...], share: float, durability: str) -> None:
    """Measure what very many partitions, producers and keys cost."""
    table = Table()
    RESULTS.mkdir(exist_ok=True)
    for name, part in PARTS.items():
        if only and name not in only:
            continue
        with tempfile.TemporaryDirectory(prefix="scale-", dir=RESULTS) as folder:
            settings = {"durability": durability, "log.cleaner.backoff.ms": "1000"}
            with Drave(Path(folder), settings=settings) as broker:
                table.add(Step("idle", 0.0, _memory(broker), None))
                part(table, broker, share)
    path = RESULTS / "scale.json"
    path.write_text(json.dumps([asdict(step) for step in table.steps], indent=1) + "\n")
    click.echo(f"Written to {path}.")


if __name__ == "__main__":
    main()
