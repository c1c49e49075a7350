"""Waiting for a cluster that is away for a while, and for no longer.

A broker that restarts is no reason to end a stream app, and one that never comes back is. So what is asked is asked
again while the answer is "not now", for two minutes; then the app ends with a sentence.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from drave.client.connection import Connection
from drave.client.errors import COORDINATOR_IS_MOVING, ClientError, NotListening, Unreachable, told
from drave.streams.errors import ClusterTrouble

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

T = TypeVar("T")

logger = logging.getLogger("drave.streams")

OUTAGE_S_MAX: Final = 120.0
PAUSE_S: Final = 0.05
_LOOK_S: Final = 0.2

IN_PASSING: Final = frozenset({"_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_RESOLVE"})
"""Errors that librdkafka works on by itself, as when a broker restarts."""

_NOT_NOW: Final = COORDINATOR_IS_MOVING | {
    "_WAIT_COORD",
    "_WAIT_CACHE",
    "_NOENT",  # no broker leads the partition just now
    "LEADER_NOT_AVAILABLE",
    "NOT_LEADER_FOR_PARTITION",
    "NOT_CONTROLLER",
    "FENCED_LEADER_EPOCH",
    "UNKNOWN_LEADER_EPOCH",
    "UNSTABLE_OFFSET_COMMIT",  # somebody's transaction has yet to be decided (KIP-447)
    "OFFSET_NOT_AVAILABLE",
    "KAFKA_STORAGE_ERROR",
}
_FOR_GOOD: Final = frozenset({"_SSL", "_AUTHENTICATION"})


_REBOOTSTRAPS_SINCE: Final = 0x020B0000


def faithful() -> dict[str, str]:
    """Properties that keep librdkafka with the brokers that it knows while none of them answers.

    From 2.11 on it would forget them and begin at the bootstrap addresses again (KIP-899), and a transaction that waits
    for a coordinator which it has forgotten waits for ever, whatever its time-out (librdkafka issue 5511).
    """
    from drave.client.librdkafka import libversion

    return {"metadata.recovery.strategy": "none"} if libversion()[1] >= _REBOOTSTRAPS_SINCE else {}


def await_broker(connection: Connection) -> None:
    """Until one takes a connection, so that apps and brokers may be started in any order.

    Raises Unreachable for what waiting does not mend, at once, and when nobody has come for two minutes.
    """
    give_up = time.monotonic() + OUTAGE_S_MAX
    is_said = False
    while True:
        try:
            connection.check()
        except NotListening as error:
            if time.monotonic() >= give_up:
                raise
            if not is_said:
                logger.warning("%s. Waiting for one", error)
                is_said = True
        else:
            return
        time.sleep(_LOOK_S)


def patiently(ask: Callable[[], T], doing: str, also: frozenset[str] = frozenset()) -> T:
    """What `ask` returns, asked again while the cluster says "not now", or one of the errors `also`.

    `doing` completes "cannot …". Raises ClusterTrouble.
    """
    from drave.client.librdkafka import KafkaException

    give_up = time.monotonic() + OUTAGE_S_MAX
    while True:
        try:
            return ask()
        except KafkaException as error:
            trouble = told(error.args[0], doing)
        except ClientError as error:
            trouble = error
        passes = isinstance(trouble, Unreachable) or trouble.name in _NOT_NOW or trouble.name in also
        if not passes or trouble.name in _FOR_GOOD or time.monotonic() > give_up:
            raise ClusterTrouble(str(trouble)) from None
        time.sleep(PAUSE_S)


class Outage:
    """Whether brokers answer a consumer, said once when they stop and once when they are back.

    librdkafka's words of outages may be old news when they are heard: `answers` asks a broker before anything is said.
    """

    def __init__(self, where: str, answers: Callable[[], bool]) -> None:
        self._where = where
        self._answers = answers
        self._suspected = False
        self._since: float | None = None

    def heard(self, error: KafkaError) -> None:
        self._suspected |= error.name() == "_ALL_BROKERS_DOWN"

    def mind(self) -> None:
        """Called when nothing came. Raises ClusterTrouble when that has gone on for too long."""
        if not self._suspected:
            return
        now = time.monotonic()
        if self._answers():
            self._suspected = False
            if self._since is not None:
                logger.warning("%s answers again, after %.0f s", self._where, now - self._since)
                self._since = None
        elif self._since is None:
            self._since = now
            logger.warning("no broker answers at %s; waiting for one", self._where)
        elif now - self._since > OUTAGE_S_MAX:
            raise ClusterTrouble(f"no broker has answered at {self._where} for {now - self._since:.0f} s")
