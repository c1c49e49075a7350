"""A table's rows, asked of the processes that keep them.

    key ─▶ partition ─▶ <app>-instances: who has it, who has a copy ─▶ HTTP ─▶ row

Nothing of the table is kept here, however large it is. While a task moves, its new owner is waited for; whoever would
rather have an older row at once takes a standby copy's. What a process answers is what it has committed; one that
stands still and does not know that it was replaced answers what it knew, until its successor has announced itself.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, cast
from urllib.parse import quote, unquote_to_bytes

import msgspec

from drave.client.connection import Connection
from drave.client.errors import ClientError
from drave.client.topics import Topics
from drave.streams.durations import Duration, milliseconds
from drave.streams.errors import ClusterTrouble, StreamsError
from drave.streams.instances import Directory
from drave.streams.kafka.changelogs import Follower
from drave.streams.looking import Looked
from drave.streams.placement import partition_of
from drave.streams.serving import NEXT, STALE, Page
from drave.streams.state import TaskId

if TYPE_CHECKING:
    from drave.streams.app import App
    from drave.streams.tables import Table

V = TypeVar("V")

CALL_S: Final = 5.0
"""How long one process is waited for."""

_HEAR_S: Final = 0.05
_PASSING: Final = {HTTPStatus.MISDIRECTED_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE}


class NotAnswered(StreamsError):
    """No process has answered in time."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[V]):
    """A row, and where it comes from."""

    row: V | None
    address: str
    stale: bool
    """Whether a standby copy has answered, which may be behind."""


class TableQuery(Generic[V]):
    """`with app.query(table) as query:`; any thread may ask.

    Raises ClusterTrouble when no broker answers or the app has never announced itself.
    """

    def __init__(self, app: App, table: Table[V], connection: Connection, timeout: Duration) -> None:
        topology = app.topology()
        self._name = table.name
        self._looked = Looked(table.output.step)
        self._sub = next(sub for sub in topology.subs if table.output.step in sub.steps)
        self._placed_by_us = all(topic in topology.upstream for topic in self._sub.topics)
        self._connection = connection
        self._place = (topology.instances.name, 0)
        self._group = f"{app.name}-query"
        self._timeout_s = milliseconds(timeout) / 1000
        self._directory = Directory()
        self._lock = threading.Lock()
        self._lines = Lines()
        self._partitions = 0
        self._follower: Follower | None = None
        store = self._looked.stores[0]
        self._changelog = store.source or topology.changelog(store.name)

    def get(self, key: Any, *, stale: bool = False) -> V | None:
        """The key's row, as its owner has committed it; None when it has none. `stale`: a copy's will do.

        Raises NotAnswered.
        """
        return self.ask(key, stale=stale).row

    def ask(self, key: Any, *, stale: bool = False) -> Answer[V]:
        """The same, with who has answered."""
        data = self._looked.keys.encode(key)
        first = partition_of(data, self._partitions)
        answer = self._row(first, data, stale)
        if answer.row is None and not self._placed_by_us:  # others may put their keys elsewhere, as librdkafka does
            for partition in range(self._partitions):
                if partition != first and (other := self._row(partition, data, stale)).row is not None:
                    return other
        return answer

    def items(self, low: Any = None, below: Any = None, *, stale: bool = False) -> Iterator[tuple[Any, V]]:
        """All keys and rows, or those from `low` to before `below`; by partition, then in the order of the keys' bytes.

        Rows that change meanwhile may be seen as they were or as they are. Raises NotAnswered.
        """
        encode, decode_key, decode = self._looked.keys.encode, self._looked.keys.decode, self._looked.values.decode
        bound = "" if below is None else f"&below={quote(encode(below), safe='')}"
        for partition in range(self._partitions):
            goes_on: bytes | None = b"" if low is None else encode(low)
            while goes_on is not None:
                asked = f"from={quote(goes_on, safe='')}{bound}"
                _, response, body = self._ask(partition, asked, stale)
                for key, row in msgspec.msgpack.decode(body, type=Page):
                    yield decode_key(key), decode(row)
                told = response.getheader(NEXT)
                goes_on = None if told is None else unquote_to_bytes(told)

    def __enter__(self) -> Self:
        topics = self._partition_counts()
        self._partitions = topics[self._changelog]
        follower = self._follower = Follower(self._connection, self._group)
        follower.follow({self._place: 0})
        while not follower.caught_up:
            self._hear(_HEAR_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give its connections back."""
        self._lines.close()
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def _partition_counts(self) -> dict[str, int]:
        try:
            topics = Topics(self._connection)
            return {name: len(topics.partitions(name)) for name in (self._changelog, self._place[0])}
        except ClientError as error:
            raise ClusterTrouble(
                f"{error} (an app makes its own topics when it first runs, and announces itself when it runs with "
                "--serve)"
            ) from None

    def _row(self, partition: int, key: bytes, stale: bool) -> Answer[V]:
        address, response, body = self._ask(partition, f"key={quote(key, safe='')}", stale)
        row = self._looked.values.decode(body) if response.status == HTTPStatus.OK else None
        return Answer(cast("V | None", row), address, response.getheader(STALE) is not None)

    def _ask(self, partition: int, asked: str, stale: bool) -> tuple[str, HTTPResponse, bytes]:
        """Ask who has the partition, then those who have copies; and again until time is up."""
        task, give_up = str(TaskId(self._sub.name, partition)), time.monotonic() + self._timeout_s
        path = f"/{quote(self._name, safe='')}/{partition}?{asked}"
        failures: dict[str, str] = {}
        while True:
            self._hear(0.0)
            for address in self._directory.holders(task, copies=stale):
                try:
                    response, body = self._lines.get(address, path)
                except (OSError, HTTPException) as error:
                    failures[address] = str(error) or type(error).__name__
                    continue
                if response.status not in _PASSING:
                    if response.status >= HTTPStatus.BAD_REQUEST:
                        raise NotAnswered(f"{address} refuses: {body.decode(errors='replace').strip()}")
                    return address, response, body
                failures[address] = body.decode(errors="replace").strip()
            if time.monotonic() >= give_up:
                break
            self._hear(_HEAR_S)
        told = "; ".join(f"{address}: {why}" for address, why in failures.items())
        raise NotAnswered(
            f"nobody has answered for partition {partition} of {self._name} within {self._timeout_s:g} s: "
            f"{told or 'no running process has announced it; is the app running with --serve?'}"
        )

    def _hear(self, wait_s: float) -> None:
        follower = self._follower
        if follower is None:
            raise StreamsError(f"the query of {self._name} is closed")
        with self._lock:
            for message in follower.poll(wait_s):
                self._directory.hear(message, time.monotonic())


class Lines:
    """Connections that are kept open, by address."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[HTTPConnection]] = defaultdict(list)

    def get(self, address: str, path: str) -> tuple[HTTPResponse, bytes]:
        """Raises OSError and HTTPException."""
        idle = self._idle[address]
        if (line := _popped(idle)) is not None:
            try:
                return self._get(line, idle, path)
            except (ConnectionError, HTTPException):
                line.close()  # it was closed by the other side while it was idle
            except BaseException:
                line.close()
                raise
        line = HTTPConnection(address, timeout=CALL_S)
        try:
            return self._get(line, idle, path)
        except BaseException:
            line.close()
            raise

    @staticmethod
    def _get(line: HTTPConnection, idle: list[HTTPConnection], path: str) -> tuple[HTTPResponse, bytes]:
        line.request("GET", path)
        response = line.getresponse()
        body = response.read()
        idle.append(line)
        return response, body

    def close(self) -> None:
        for idle in self._idle.values():
            while (line := _popped(idle)) is not None:
                line.close()


def _popped(idle: list[HTTPConnection]) -> HTTPConnection | None:
    """Other threads take from it too."""
    try:
        return idle.pop()
    except IndexError:
        return None
