"""Records of a coordinator's log that cannot be read here: kept as they came, for a version that can."""

from __future__ import annotations

from collections.abc import Iterator


class UnreadRecords(dict[bytes, bytes]):
    """By key. Who reads another record under the key pops it."""

    __slots__ = ()

    def keep(self, key: bytes, value: bytes | None) -> None:
        """Keep a record as it is; None takes back what was there."""
        if value is None:
            self.pop(key, None)
        else:
            self[key] = value

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        """All of them, each that is still there when its turn comes."""
        for key in list(self):
            if (value := self.get(key)) is not None:
                yield key, value
