"""The three groups side by side on a terminal; a plain line now and then where there is none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

import click

from drave.cli.demo.run import Run
from drave.cli.demo.views import View
from drave.client.times import time_text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

ROWS: Final = 12
_BAR_WIDTH: Final = 8
_PLAIN_INTERVAL_S: Final = 2.0
_COLORS: Final = ("green", "cyan", "magenta")


class PlainScreen:
    """A line every two seconds, so that a log of it stays short."""

    def __init__(self, heading: str) -> None:
        click.echo(heading)
        self._next = time.monotonic() + _PLAIN_INTERVAL_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, run: Run) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PLAIN_INTERVAL_S
            seen = ", ".join(f"{view.name} {view.rides}" for view in run.views)
            click.echo(f"{time_text(run.clock_ms)[:16]}  {run.published} rides published; seen: {seen}")


class LiveScreen:
    """rich's live display: three tables of bars under one line of facts."""

    def __init__(self, heading: str) -> None:
        from rich.live import Live  # heavy: only where there is a terminal

        self._heading = heading
        self._live: Live = Live(refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, run: Run) -> None:
        self._live.update(self._picture(run))

    def _picture(self, run: Run) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        facts = Text.assemble(
            (self._heading, "bold"),
            "\n",
            (f"{time_text(run.clock_ms)[:16].replace('T', ' ')}  ", "bold yellow"),
            f"{run.published:,} rides published",
        )
        side_by_side = Table.grid(expand=True)
        for _ in run.views:
            side_by_side.add_column(ratio=1)
        side_by_side.add_row(*(_panel(view, color) for view, color in zip(run.views, _COLORS, strict=True)))
        return Group(facts, side_by_side)


def _panel(view: View, color: str) -> RenderableType:
    from rich.panel import Panel
    from rich.table import Table

    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True, ratio=None if view.wide_label else 1)
    table.add_column(no_wrap=True, width=_BAR_WIDTH, style=color)
    table.add_column(no_wrap=True, ratio=1 if view.wide_label else None, justify="left" if view.wide_label else "right")
    rows = view.rows(ROWS)
    for name, share, label in rows:
        table.add_row(name, "█" * max(1, round(share * _BAR_WIDTH)), label)
    for _ in range(ROWS - len(rows)):
        table.add_row("", "", "")
    return Panel(
        table,
        title=f"[bold]{view.name}[/] {view.title}",
        subtitle=f"{view.rides:,} rides",
        border_style=color,
    )
