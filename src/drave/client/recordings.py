"""Recorded data, CSV or JSONL, as records: in time order, and in its own time.

    pickup,zone                                        key = zone        time = pickup
    2019-03-23 20:21:09,Soho   ─▶  key "Soho" · value {"pickup": "2019-03-23 20:21:09", "zone": "Soho"} · 1553372469000
    2019-03-04 16:11:55,       ─▶  no key     · value {"pickup": "2019-03-04 16:11:55", "zone": null}   · 1551715915000

A CSV row becomes a JSON object of texts, for a file does not say which of its columns are numbers; an empty cell is
null. A JSONL line is sent as it stands. With a time column the whole file is read and sorted before the first record
leaves; rows of the same time keep their order.
"""

from __future__ import annotations

import csv
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from drave.client.errors import ClientError
from drave.client.times import parse_time_ms

_SUFFIXES: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class Format(enum.Enum):
    """How a recording is written: with a header and columns, or a JSON object on each line."""

    CSV = "csv"
    JSONL = "jsonl"


class Row(msgspec.Struct, frozen=True, gc=False):
    """One record of a recording. `time_ms` is None where no time column was asked for."""

    time_ms: int | None
    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, and which of its columns are the key and the time."""

    path: Path
    format: Format
    key: str | None = None
    time: str | None = None

    def rows(self) -> Iterator[Row]:
        """The rows: in time order with a time column, else as they stand. Raises ClientError naming file and row."""
        if self.time is None:
            return self._read()
        return iter(sorted(self._read(), key=lambda row: row.time_ms or 0))

    def _read(self) -> Iterator[Row]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                yield from self._csv(file) if self.format is Format.CSV else self._jsonl(file)
        except OSError as error:
            raise ClientError(f"cannot read {self.path}: {error.strerror or error}") from None
        except UnicodeDecodeError as error:
            raise ClientError(f"{self.path} is not UTF-8: {error.reason} at byte {error.start}") from None

    def _csv(self, file: IO[str]) -> Iterator[Row]:
        rows = csv.DictReader(file, strict=True)
        try:
            columns = rows.fieldnames or []
            for wanted in (self.key, self.time):
                if wanted is not None and wanted not in columns:
                    raise ClientError(f"{self.path} has no column {wanted}; it has {', '.join(columns) or 'none'}")
            for row in rows:
                if None in row:
                    raise ClientError(f"{self.path}, line {rows.line_num}: more cells than the {len(columns)} columns")
                cells = {name: cell or None for name, cell in row.items()}
                yield self._row(cells, _encode(cells), rows.line_num)
        except csv.Error as error:
            raise ClientError(f"{self.path}, line {rows.line_num}: {error}") from None

    def _jsonl(self, file: IO[str]) -> Iterator[Row]:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line:
                continue
            try:
                fields = msgspec.json.decode(line)
            except msgspec.DecodeError as error:
                raise ClientError(f"{self.path}, line {number}: not JSON: {error}") from None
            if not isinstance(fields, dict):
                raise ClientError(f"{self.path}, line {number}: a JSON object is wanted, {line[:40]!r} is none")
            yield self._row(fields, line.encode(), number)

    def _row(self, fields: dict[str, Any], value: bytes, number: int) -> Row:
        return Row(
            None if self.time is None else self._time_ms(fields.get(self.time), number),
            None if self.key is None else _key_bytes(fields.get(self.key)),
            value,
        )

    def _time_ms(self, cell: object, number: int) -> int:
        if cell is None:
            raise ClientError(f"{self.path}, line {number}: nothing in the time column {self.time}")
        try:
            return parse_time_ms(str(cell))
        except ValueError as error:
            raise ClientError(f"{self.path}, line {number}, column {self.time}: {error}") from None


def open_recording(
    path: Path, *, format_name: str | None = None, key: str | None = None, time: str | None = None
) -> Recording:
    """`path` as a recording; its suffix says the format unless `format_name` does. Raises ClientError."""
    name = format_name or _SUFFIXES.get(path.suffix.lower())
    if name is None:
        raise ClientError(f"{path} is neither .csv nor .jsonl: say which with --format")
    return Recording(path, Format(name), key, time)


@dataclass(slots=True)
class Pace:
    """When each record of a recording is due, in seconds after the first, `speed` times as fast as it was recorded."""

    speed: float
    _first_ms: int | None = None

    def due_s(self, time_ms: int) -> float:
        """When the record of this time (milliseconds since 1970) is due; the first that is asked for begins."""
        if self._first_ms is None:
            self._first_ms = time_ms
        return (time_ms - self._first_ms) / 1000 / self.speed


_encode: Final = msgspec.json.Encoder().encode


def _key_bytes(cell: object) -> bytes | None:
    if cell is None:
        return None
    return cell.encode() if isinstance(cell, str) else _encode(cell)
