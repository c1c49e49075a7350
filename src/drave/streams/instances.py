"""What the processes of an app tell each other, in a compacted topic with one record for each of them.

    <app>-instances    worker ─▶ {"address": "10.0.0.7:7000", "tasks": {"rides-0": {}, "zones-1": {"zones": 17}},
                                  "copies": ["rides-1"]}

An announcement is part of a commit, so with exactly once it is as true as what is committed with it. Who lives and who
has which partitions, the group knows better; a process that has gone for good stays here until its record is too old.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from drave.streams.state import TaskId
from drave.streams.transport import Message, NewTopic

CONFIGS: Final = {"cleanup.policy": "compact,delete", "retention.ms": "604800000"}
"""A week: processes that take a new name at each start would fill it for ever."""

AGAIN_S: Final = 86_400.0
"""Who has nothing new to say says the same again, or its record would be too old one day."""

PROGRESS_S: Final = 1.0
"""How often it is told at most how far tables have been read."""


class Instance(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one process says of itself."""

    address: str = ""
    """HOST:PORT where it answers queries; empty when it does not."""
    tasks: Mapping[str, Mapping[str, int]] = {}
    """Those that it runs; and of each topic that is a table, the offset up to which it was processed there."""
    copies: tuple[str, ...] = ()
    """Tasks of which it keeps a standby copy."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Instance)


def instances_topic(app: str) -> NewTopic:
    return NewTopic(f"{app}-instances", 1, CONFIGS)


def told_by(message: Message) -> tuple[str, Instance | None]:
    """Who says it, and what; None when it has left."""
    value = message.value()
    return (message.key() or b"").decode(), None if value is None else _decoder.decode(value)


Announcement = tuple[str, bytes, bytes | None]
"""Topic, key, value."""


class Announcer:
    """Decides when a process has something new to say. Nothing was said before it is `committed`."""

    def __init__(self, app: str, name: str, address: str) -> None:
        self._topic = instances_topic(app).name
        self._name = name.encode()
        self._address = address
        self._said: Instance | None = None
        self._said_at = 0.0
        self._saying: tuple[Instance | None, float] = (None, 0.0)
        self._has_left = False

    def news(
        self, tasks: Mapping[TaskId, Mapping[str, int]], copies: Iterable[TaskId], now_s: float
    ) -> tuple[Announcement, ...]:
        """What is to be announced with the next commit: one, or none."""
        told = {str(task): tables for task, tables in sorted(tasks.items())}
        new, old = Instance(self._address, told, tuple(map(str, sorted(copies)))), self._said
        self._saying = (old, self._said_at)
        if self._has_left:
            return ()
        if old is not None:
            same = old.tasks.keys() == new.tasks.keys() and old.copies == new.copies
            if same and now_s - self._said_at < (AGAIN_S if old == new else PROGRESS_S):
                return ()
        self._saying = (new, now_s)
        return ((self._topic, self._name, _encoder.encode(new)),)

    def farewell(self) -> tuple[Announcement, ...]:
        """The last one; none if nothing was ever said."""
        self._has_left = True
        return () if self._said is None else ((self._topic, self._name, None),)

    def committed(self) -> None:
        """What was announced last is known to all."""
        self._said, self._said_at = self._saying
