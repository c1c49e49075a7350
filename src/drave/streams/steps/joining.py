"""A stream's record beside what a table holds for its key.

    stream ─▶ receive ─▶ (value, row) ─▶ "out"
    table ──▶ its own store; nothing leaves

The task takes its inputs in the order of event time, so a record meets the row that was there at its time, as far as
both topics have been read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from drave.streams.steps.base import Outputs, Receiver, Step, TaskView, nowhere


@dataclass(frozen=True, eq=False, kw_only=True)
class TableJoin(Step):
    """The first parent is the stream, the second the table; both have the same key and partitions."""

    kind: ClassVar[str] = "join"
    outer: bool = False
    """Records without a row go on with None; otherwise they are dropped."""

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        get = task.prepared(self.parents[1].step).get
        forward = outputs["out"]
        outer = self.outer

        def receive(key: Any, value: Any, time: int) -> None:
            row = get(key)
            if row is not None or outer:
                forward(key, (value, row), time)

        return receive, nowhere
