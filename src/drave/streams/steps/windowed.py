"""What all aggregates over windows share: a store of their own, and results that wait for the grace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drave.streams.agg import Bound
from drave.streams.state import StoreSpec
from drave.streams.steps.base import Step
from drave.streams.windows import Windows


@dataclass(frozen=True, eq=False, kw_only=True)
class OverWindows(Step):
    """States by key and window. Its outputs are "changes", "final" and "late"."""

    windows: Windows
    bound: Bound

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        return (StoreSpec(self.name),)

    @property
    def details(self) -> Mapping[str, str]:
        return {"windows": str(self.windows)}

    def delay_ms(self, port: str) -> int:
        return self.windows.grace_ms if port == "final" else 0
