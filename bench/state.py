"""`python -m bench.state`: what the backends of a stream app's state cost, through the calls that the engine makes.

Random keys of 13 bytes, values of 100, commits of 2,000 changes: first all keys are new, then all are there.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from drave.streams.state import States, TaskId
from drave.streams.state.memory import MemoryStates
from drave.streams.state.rocksdb import RocksStates
from drave.streams.state.sqlite import SqliteStates

KEYS = 300_000
READS = 100_000
COMMIT = 2_000
VALUE = bytes(range(100))

BACKENDS: dict[str, Callable[[Path], States]] = {
    "memory": lambda folder: MemoryStates(),
    "sqlite": SqliteStates,
    "rocksdb": RocksStates,
}


def rows(make: Callable[[Path], States], folder: Path) -> Iterator[tuple[str, int, float]]:
    """What was done, how often, and the seconds of processor time it took."""
    state = make(folder).open(TaskId("bench", 0))
    chance = random.Random(1)
    keys = [b"user-%08d" % number for number in range(KEYS)]
    for name in ("new keys", "known keys"):
        chance.shuffle(keys)
        begin = time.process_time()
        for first in range(0, KEYS, COMMIT):
            state.commit({"bench": [(key, VALUE) for key in keys[first : first + COMMIT]]}, {"bench": first})
        yield name, KEYS, time.process_time() - begin
    chance.shuffle(keys)
    begin = time.process_time()
    found = sum(state.get("bench", key) is not None for key in keys[:READS])
    yield "get", found, time.process_time() - begin
    begin = time.process_time()
    yield "scan", sum(1 for _ in state.scan("bench", b"", None)), time.process_time() - begin
    state.close()


def main() -> None:
    for backend, make in BACKENDS.items():
        with tempfile.TemporaryDirectory() as folder:
            for name, count, cpu_s in rows(make, Path(folder)):
                print(
                    f"{backend:8} {name:10} {count / cpu_s:>12,.0f} a second of CPU {cpu_s / count * 1e6:8.2f} us each"
                )


if __name__ == "__main__":
    sys.exit(main())
