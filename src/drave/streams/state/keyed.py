"""A task's map from keys to values: a write-back cache over its state.

    get ─▶ cache ─▶ state          put ─▶ cache, dirty          commit: dirty ─▶ changelog, state

A value that is put is seen at once by this task, and by nobody else before the commit. The cache keeps what was used
last; what is dirty stays until it is committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar, cast

from drave.streams.formats import Format
from drave.streams.state import Change, StoreSpec, TaskState

V = TypeVar("V")

ENTRIES_MAX: Final = 100_000
_MISSING: Final[Any] = object()


class KeyedStore(Generic[V]):
    """Keys and values are objects; the formats make them bytes at the state's border."""

    def __init__(
        self,
        spec: StoreSpec,
        state: TaskState,
        keys: Format[Any],
        values: Format[V],
        *,
        entries_max: int = ENTRIES_MAX,
    ) -> None:
        self.spec = spec
        self._state = state
        self._keys = keys
        self._values = values
        self._entries_max = entries_max
        self._cache: dict[Any, V | None] = {}
        self._dirty: dict[Any, None] = {}

    def get(self, key: Any) -> V | None:
        """None for a key without a value."""
        value = self._cache.get(key, _MISSING)
        if value is _MISSING:
            data = self._state.get(self.spec.name, self._keys.encode(key))
            value = self._cache[key] = None if data is None else self._values.decode(data)
        return cast("V | None", value)

    def put(self, key: Any, value: V | None) -> None:
        """None deletes."""
        self._cache[key] = value
        self._dirty[key] = None

    def items(self) -> Iterator[tuple[Any, V]]:
        """All that there is, what was put since the last commit included; in no order."""
        for key, value in list(self._cache.items()):
            if value is not None:
                yield key, value
        for key_data, data in self._state.scan(self.spec.name, b"", None):
            key = self._keys.decode(key_data)
            if key not in self._cache:
                yield key, self._values.decode(data)

    def changes(self) -> list[Change]:
        encode_key = self._keys.encode
        encode = self._values.encode
        cache = self._cache
        changed: list[Change] = []
        for key in self._dirty:
            value = cache[key]
            changed.append((encode_key(key), None if value is None else encode(value)))
        self._dirty.clear()
        if len(cache) > self._entries_max:  # the oldest go; those that changed just now are in `changed`
            for key in list(cache)[: len(cache) - self._entries_max // 2]:
                del cache[key]
        return changed

    def __len__(self) -> int:
        return len(self._cache)
