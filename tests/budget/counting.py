"""Counts what a step of the broker costs, in units that are the same on every machine.

    bytecodes         instructions of the interpreter, in the broker and in what it calls of the standard library
    bytes allocated   by each instruction, as far as it leaves them allocated: copies of data show here
    bytes in cycles   left to the garbage collection, which has to look for them
    bytes kept        still there after that: what would fill the memory in the end
    calls             what crosses a seam: disk, transport, clock, loop, the other thread

What the test's own disk, transport, clock and loop do is not counted; that they are called is. One thread, no garbage
collection, no time: the same code gives the same counts, however busy the machine is.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import drave

_PRODUCT: Final = str(Path(drave.__file__).parent)
_SEAMS: Final = {
    "SimulatedDisk": "disk",
    "SimulatedFile": "file",
    "Client": "transport",
    "StillClock": "clock",
    "StillScheduler": "loop",
    "Timer": "timer",
    "Numbers": "entropy",
    "Thread": "thread",
}
"""The harness's classes that stand for something outside, and what they stand for."""


class Owner(Enum):
    """Whose code a frame runs."""

    BROKER = 1
    HARNESS = 2
    OTHER = 3
    """The standard library's, or a dependency's: it belongs to whoever called it."""


def owner_of(code: CodeType) -> Owner:
    """Generated codecs are the broker's; `drave.testing` is not."""
    file = code.co_filename
    if file.startswith(_PRODUCT):
        return Owner.HARNESS if file.startswith(str(Path(_PRODUCT, "testing"))) else Owner.BROKER
    if file.startswith(("<decode ", "<encode ")):
        return Owner.BROKER
    return Owner.HARNESS if file.startswith(str(Path(__file__).parents[1])) else Owner.OTHER


@dataclass(frozen=True, slots=True)
class Counts:
    """What one step costs, on average over some that are alike."""

    bytecodes: float
    bytes_allocated: float
    bytes_in_cycles: float
    bytes_kept: float
    calls: dict[str, float]


def count(step: Callable[[], None], *, steps: int) -> Counts:
    """Take so many steps twice: once for what they leave behind, once instruction by instruction."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        in_cycles, kept = _count_kept(step, steps)
        instructions = Instructions()
        instructions.count(step, steps)
    finally:
        tracemalloc.stop()
        gc.enable()
    return Counts(
        round(instructions.bytecodes / steps, 1),
        round(instructions.bytes_allocated / steps),
        round(in_cycles / steps),
        round(kept / steps),
        {name: round(number / steps, 2) for name, number in sorted(instructions.calls.items())},
    )


def _count_kept(step: Callable[[], None], steps: int) -> tuple[int, int]:
    """Bytes that only the garbage collection takes back, and those that it does not."""
    before = _held()
    for _ in range(steps):
        step()
    after = _held()
    gc.collect()
    kept = _held()
    return after - kept, kept - before


def _held() -> int:
    """Bytes that were allocated by a line of the broker."""
    mine = [tracemalloc.Filter(True, f"{_PRODUCT}/*"), tracemalloc.Filter(True, "<*code *")]
    not_mine = tracemalloc.Filter(False, f"{_PRODUCT}/testing/*")
    traces = tracemalloc.take_snapshot().filter_traces(mine).filter_traces([not_mine])
    return sum(trace.size for trace in traces.traces)


class Instructions:
    """Counts while `sys.settrace` says what happens."""

    def __init__(self) -> None:
        self.bytecodes = 0
        self.bytes_allocated = 0
        self.calls: Counter[str] = Counter()
        self._owners: dict[CodeType, Owner] = {}

    def count(self, step: Callable[[], None], steps: int) -> None:
        """Take the steps, after one that is not counted: Python 3.13 traces a function's instructions from its second
        call on."""
        trace = self._tracer()
        outer = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # 3.12 looks for it when the tracing begins
        sys.settrace(trace)
        try:
            step()
            self.bytecodes = self.bytes_allocated = 0
            self.calls.clear()
            for _ in range(steps):
                step()
        finally:
            sys.settrace(outer)

    def _tracer(self) -> Callable[[FrameType, str, Any], Any]:
        allocated = tracemalloc.get_traced_memory
        last = 0

        def instruction(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal last
            if event == "opcode":
                self.bytecodes += 1
                now = allocated()[0]
                if now > last:
                    self.bytes_allocated += now - last
                last = now
            return instruction

        def called(frame: FrameType, event: str, _: Any) -> Any:
            """A call. What tracing it has allocated, and what the harness does inside, is left out."""
            nonlocal last
            counted = self._is_counted(frame)
            if counted:
                frame.f_trace_lines = False
                frame.f_trace_opcodes = True
            last = sys.maxsize if not counted else allocated()[0]
            return instruction if counted else None

        return called

    def _is_counted(self, frame: FrameType) -> bool:
        owner = self._owner(frame)
        if owner is Owner.HARNESS and frame.f_back is not None and self._owner(frame.f_back) is Owner.BROKER:
            kind, _, name = frame.f_code.co_qualname.rpartition(".")
            if kind in _SEAMS:
                self.calls[f"{_SEAMS[kind]}.{name}"] += 1
        return owner is Owner.BROKER

    def _owner(self, frame: FrameType | None) -> Owner:
        """Whose the frame is; where it is nobody's, its caller's."""
        while frame is not None:
            code = frame.f_code
            owner = self._owners.get(code)
            if owner is None:
                owner = self._owners[code] = owner_of(code)
            if owner is not Owner.OTHER:
                return owner
            frame = frame.f_back
        return Owner.HARNESS
