"""Records of transactions that nobody has decided yet: in the log, and in nobody's state.

    key   A: v1   B: v2      two producers have written it, A first
    B commits                v2 counts, and v1 will never: an earlier record takes no later one's place
    A commits                v1 counts, and v2 still may

A plain record takes the place of all that came before it. So what counts is, for each key, what reading the log once
more would find, however the decisions fall.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from drave.broker.coordinator.outcome import KeyValue, Writer


class Undecided(NamedTuple):
    """One record, and whose transaction it is part of."""

    writer: Writer
    key: bytes
    value: bytes | None


class UndecidedRecords:
    """Those of one partition."""

    __slots__ = ("_by_key", "_keys", "_writers")

    def __init__(self) -> None:
        self._by_key: dict[bytes, dict[int, bytes | None]] = {}
        """By producer id, in the order of the log."""
        self._keys: dict[int, dict[bytes, None]] = {}
        self._writers: dict[int, Writer] = {}

    def __contains__(self, key: bytes) -> bool:
        return key in self._by_key

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, writer: Writer, key: bytes, value: bytes | None) -> None:
        """Keep a record until its transaction is decided."""
        producer_id = writer.producer_id
        values = self._by_key.setdefault(key, {})
        values.pop(producer_id, None)
        values[producer_id] = value
        self._keys.setdefault(producer_id, {})[key] = None
        self._writers[producer_id] = writer

    def overtaken(self, key: bytes) -> None:
        """A plain record of this key was written."""
        self._by_key.pop(key, None)

    def decide(self, producer_id: int, *, commit: bool) -> Iterator[KeyValue]:
        """The producer's transaction is over: gives its records that count."""
        self._writers.pop(producer_id, None)
        for key in self._keys.pop(producer_id, ()):
            values = self._by_key.get(key)
            if values is None or producer_id not in values:
                continue
            value = values[producer_id]
            if commit:
                for earlier in list(values):
                    del values[earlier]
                    if earlier == producer_id:
                        break
                yield key, value
            else:
                del values[producer_id]
            if not values:
                del self._by_key[key]

    def of(self, keys: Iterable[bytes] | None = None) -> Iterator[Undecided]:
        """The records of these keys (None: of all), those of each key in the order of the log."""
        for key in list(self._by_key if keys is None else keys):
            for producer_id, value in self._by_key.get(key, {}).items():
                yield Undecided(self._writers[producer_id], key, value)
