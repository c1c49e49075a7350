"""What members of a share group were given and have said, and whether all of it can be true.

    given ──▶ said ──▶ taken        the broker has answered that the member's word is durable
      ╰──────────────────────▶ the member's end, its lock's, the broker's: the record is for others

The laws:

    kept        what a producer was told is there was accepted by somebody, or its dead letter is there
    once        what was accepted, and the broker has said so, comes to nobody again; it has no dead letter, or one of
                before the broker's last end
    alone       what one member has, another is given only after a word of the first, or the end of it, of its lock or
                of the broker
    counted     nothing is delivered more often than the group's limit

Times are seconds of one monotonic clock, as the members have read it. A record may have lain in its client for a moment
before the member saw it, so a lock, or a broker, may have ended that much earlier.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from torture.history import Place

ACCEPT: Final = "accept"
RELEASE: Final = "release"
REJECT: Final = "reject"
UNSEEN_S: Final = 5.0
"""How long a record may lie in a client before its member sees it."""
TICK_S: Final = 0.005
"""Some members read the clock in milliseconds."""


class Event(NamedTuple):
    """Something that happened to a record, or that was said of it."""

    at: float
    kind: str
    """`given`, `taken`, or what was said."""
    member: str
    delivery: int = 0
    """Which delivery it was; 0 where the member does not say."""


@dataclass
class Deliveries:
    """Everything that members and killers have told; filled by threads."""

    lock_s: float
    limit: int
    events: dict[Place, list[Event]] = field(default_factory=lambda: defaultdict(list))
    letters: set[Place] = field(default_factory=set)
    settled: set[Place] = field(default_factory=set)
    """What has a letter, or was accepted by a member, whatever that was answered."""
    ends: dict[str, float] = field(default_factory=dict)
    """Of members."""
    broker_ends: list[float] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    # -- told

    def given(self, member: str, at: float, places: Iterable[tuple[Place, int]]) -> None:
        with self.changed:
            for place, count in places:
                self.events[place].append(Event(at, "given", member, count))

    def said(self, member: str, at: float, places: Iterable[tuple[Place, str]]) -> None:
        with self.changed:
            for place, verdict in places:
                self.events[place].append(Event(at, verdict, member))
                if verdict == ACCEPT:
                    self.settled.add(place)
            self.changed.notify_all()

    def taken(self, member: str, at: float, places: Iterable[Place]) -> None:
        """The broker has answered that the acceptance of these is durable."""
        with self.changed:
            for place in places:
                self.events[place].append(Event(at, "taken", member))

    def buried(self, place: Place) -> None:
        with self.changed:
            self.letters.add(place)
            self.settled.add(place)
            self.changed.notify_all()

    # -- judged

    def violations(self, written: Iterable[Place]) -> list[str]:
        """What is wrong, in sentences, once nothing happens any more. Producers were told that `written` is there."""
        found = [
            f"{place} was lost: nobody has accepted it, and it has no dead letter"
            for place in sorted(written)
            if place not in self.settled
        ]
        for place in sorted(self.events):
            found += self._of(place)
        return found

    def _of(self, place: Place) -> list[str]:
        found: list[str] = []
        holder: Event | None = None
        accepted: Event | None = None
        for event in sorted(self.events[place]):
            if event.kind == "taken":
                accepted = event
            elif event.kind != "given":
                if holder is not None and holder.member == event.member:
                    holder = None
            else:
                if accepted is not None and event.at > accepted.at + TICK_S:
                    found.append(f"{place} came to {event.member} though {accepted.member} had accepted it")
                if holder is not None and not self._may_have_lost(holder, event):
                    found.append(f"{place} came to {event.member} while {holder.member} had it")
                if event.delivery > self.limit:
                    found.append(f"{place} came for the {event.delivery}th time; the limit is {self.limit}")
                holder = event
        if accepted is not None and place in self.letters and not self._came_again(accepted, place):
            found.append(f"{place} has a dead letter, though {accepted.member} had accepted it")
        return found

    def _came_again(self, accepted: Event, place: Place) -> bool:
        """Whether a broker has ended since the record first came: its letter may have been durable then, and nothing
        else of what was said to it."""
        began = min(self.events[place]).at
        return any(began <= end <= accepted.at for end in self.broker_ends)

    def _may_have_lost(self, holder: Event, other: Event) -> bool:
        """Whether the lock of the one may have been over when the other was given the record."""
        began, until = holder.at - UNSEEN_S, other.at + TICK_S
        return (
            holder.member == other.member
            or until - began >= self.lock_s
            or self.ends.get(holder.member, until) < until
            or any(began <= end <= until for end in self.broker_ends)
        )
