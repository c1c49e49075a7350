"""Clients that are told the advertised address, and never get there: named in the log, with the remedy.

    a connection  ApiVersions, Metadata, FindCoordinator …   asks the way: these are asked of any broker at all
                  Produce, Fetch, JoinGroup …                has come: these are asked at the advertised address

librdkafka connects anew for each question, the Java client asks on the connection that it has, each about once a
second, for ever. So whoever has asked a few times, and for nothing else on any connection, is lost. aiokafka and
kafka-python ask once and then try only the advertised address: they are noticed when they have been started a few
times.

It is the host that counts: if one client of a host gets there, the others can.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

from drave.model.setting import Address

logger = logging.getLogger("drave.net")

QUESTIONS: Final = 5
"""So often a host has asked the way when it is called lost …"""
PATIENCE_S: Final = 5.0
"""… and so long ago for the first time."""
HOSTS_MAX: Final = 1000
"""So many hosts are remembered; beyond that, the one that is known longest is forgotten."""


@dataclass(slots=True)
class _Host:
    """A host that has asked the way."""

    first_at: float
    client_id: str | None
    questions: int = 0
    named: bool = False


class Newcomers:
    """The hosts that have been told the advertised address."""

    def __init__(self, advertised: Address) -> None:
        self._advertised = advertised
        self._asking: dict[str, _Host] = {}
        self._arrived: dict[str, None] = {}

    def asks(self, now: float, host: str, client_id: str | None) -> None:
        """Somebody at `host` was told the address."""
        if host in self._arrived:
            return
        asking = self._asking.get(host)
        if asking is None:
            _make_room(self._asking)
            asking = self._asking[host] = _Host(now, client_id)
        asking.questions += 1

    def came(self, host: str) -> None:
        """Somebody at `host` has asked for what is asked at that address."""
        if self._asking.pop(host, None) is not None:
            _make_room(self._arrived)
            self._arrived[host] = None

    @property
    def asking(self) -> bool:
        """Whether there is anybody to look for."""
        return bool(self._asking)

    def name_the_lost(self, now: float) -> None:
        """Tell the log, once, of each host that keeps asking."""
        for host, asking in self._asking.items():
            if asking.named or asking.questions < QUESTIONS or now - asking.first_at < PATIENCE_S:
                continue
            asking.named = True
            logger.warning(
                "%s (client %s) has asked %d times where the broker is, was told %s, and has asked for nothing else: "
                "can it reach that address? If not, set --advertise (advertised.listeners) to one that it can.",
                host,
                asking.client_id or "without a name",
                asking.questions,
                self._advertised,
            )


def _make_room(hosts: dict[str, Any]) -> None:
    if len(hosts) >= HOSTS_MAX:
        del hosts[next(iter(hosts))]
