"""What the processes of an app tell each other, in a compacted topic with one record for each of them.

    <app>-instances    worker ─▶ {"address": "10.0.0.7:7000", "tasks": {"rides-0": {}, "zones-1": {"zones": 17}},
                                  "copies": ["rides-1"]}

An announcement is part of a commit, so with exactly once it is as true as what is committed with it. Who keeps standby
copies says so every ten seconds, though nothing has changed, and who has said nothing for thirty is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from drave.streams.state import TaskId
from drave.streams.transport import Message, NewTopic

CONFIGS: Final = {"cleanup.policy": "compact,delete", "retention.ms": "604800000"}
"""A week: processes that take a new name at each start would fill it for ever."""

ALIVE_S: Final = 10.0
"""How often who has nothing new to say says the same, where copies are kept."""

GONE_S: Final = 30.0
"""Who has said nothing for so long is no heir."""

AGAIN_S: Final = 86_400.0
"""How often the same is said where no copies are kept: its record would be too old one day."""

PROGRESS_S: Final = 1.0
"""How often it is told at most how far tables have been read."""


class Instance(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one process says of itself."""

    address: str = ""
    """HOST:PORT where it answers queries; empty when it does not."""
    tasks: Mapping[str, Mapping[str, int]] = {}
    """Those that it runs or is about to; and of each topic that is a table, the offset up to which it was processed."""
    copies: tuple[str, ...] = ()
    """Tasks of which it keeps a standby copy."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Instance)


def instances_topic(app: str) -> NewTopic:
    return NewTopic(f"{app}-instances", 1, CONFIGS)


Announcement = tuple[str, bytes, bytes | None]
"""Topic, key, value."""


class Directory:
    """What everybody has said last."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[Instance, float]] = {}
        """And when it was heard; in the order in which it was said."""

    def hear(self, announcement: Message, now_s: float) -> Instance | None:
        """What it says; None when it is a farewell."""
        name, value = (announcement.key() or b"").decode(), announcement.value()
        self._said.pop(name, None)
        if value is None:
            return None
        instance = _decoder.decode(value)
        self._said[name] = (instance, now_s)
        return instance

    def alive(self, now_s: float) -> list[str]:
        """Who has said something lately."""
        return sorted(name for name, (_, heard_s) in self._said.items() if now_s - heard_s < GONE_S)

    def owners(self) -> dict[str, str]:
        """For each task who was the last to claim it, though it may have gone since."""
        return {task: name for name, (instance, _) in self._said.items() for task in instance.tasks}

    def holders(self, task: str, *, copies: bool) -> list[str]:
        """Addresses: of those who claim the task, the newest claim first; then, if they will do, of who has a copy."""
        newest = [instance for instance, _ in reversed(list(self._said.values())) if instance.address]
        found = [each.address for each in newest if task in each.tasks]
        if copies:
            found += [each.address for each in newest if task in each.copies]
        return list(dict.fromkeys(found))


class Announcer:
    """Decides when a process has something new to say. Nothing was said before it is `committed`."""

    def __init__(self, app: str, name: str, address: str, *, again_s: float) -> None:
        self._again_s = again_s
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
            if same and now_s - self._said_at < (self._again_s if old == new else PROGRESS_S):
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
