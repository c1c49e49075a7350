"""What commands print: tables for people, JSON for programs, notes on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec

_GAP = "  "


def print_json(document: Any) -> None:
    """One document on one line."""
    click.echo(msgspec.json.encode(document))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns; numbers to the right. The heading is bold on a terminal."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(columns))]
    widths = [max(len(column), *(len(row[i]) for row in cells), 0) for i, column in enumerate(columns)]
    click.secho(_line(columns, widths, numeric), bold=True)
    for row in cells:
        click.echo(_line(row, widths, numeric))


def note(text: str) -> None:
    """Something for the person at the terminal, apart from the output."""
    click.echo(text, err=True)


def counted(number: int, thing: str) -> str:
    """`1 record`, `2 records`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def is_terminal(stream: Any = None) -> bool:
    """Whether somebody looks at `stream`, standard output unless it is given."""
    return bool((stream or sys.stdout).isatty())


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else str(value)


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.lstrip("-").isdigit()


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    aligned = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    )
    return _GAP.join(aligned).rstrip()
