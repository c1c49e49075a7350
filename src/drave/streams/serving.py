"""A process's answers to those who ask for rows of the tables that it keeps, over HTTP.

    GET /<table>/<partition>?key=soho                the row, as the table's format writes it
    GET /<table>/<partition>?from=a&below=b          [[key, row], …] by the keys' bytes, a page of them, as msgpack

    200  here it is                                  Drave-Stale: yes    a standby copy's, which may be behind
    204  there is no such row                        Drave-Next: <key>   where the next page begins
    400, 404  what was asked makes no sense          421  the partition is not here (any more): ask another process
    500  a function of the table has failed

Keys are percent-encoded bytes. Answered from what is committed; the engine is not asked, and waits for no look longer
than one page takes. Nobody signs in: listen where you trust.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from socket import socket
from typing import Any, Final
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

import msgspec

from drave.streams.errors import BadRecord, StreamsError
from drave.streams.looking import Looked, is_table
from drave.streams.state import TaskId, TaskState
from drave.streams.state.shared import SharedStates
from drave.streams.topology import SubTopology, Topology

logger = logging.getLogger("drave.streams")

STALE: Final = "Drave-Stale"
NEXT: Final = "Drave-Next"
PAGE: Final = 500
"""Keys that one answer looks at."""

CONNECTIONS_MAX: Final = 64
IDLE_S: Final = 60

Page = list[tuple[bytes, bytes]]


class Refused(Exception):
    """Why there is no answer, as a status and a sentence."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(status, why)
        self.status = status
        self.why = why


class Answers:
    """What is asked, answered from the states of one process. Any thread may call it."""

    def __init__(self, topology: Topology, states: SharedStates, runs: Callable[[TaskId], bool | None]) -> None:
        self._states = states
        self._runs = runs
        """Whether a task runs here (True), is a copy (False), or is none of both."""
        self._tables = {step.name: (sub, Looked(step)) for sub in topology.subs for step in sub.steps if is_table(step)}

    def row(self, table: str, partition: int, key: bytes) -> tuple[bytes | None, bool]:
        """The key's row, and whether it may be stale. Raises Refused."""
        sub, looked = self._table(table)
        try:
            decoded = looked.keys.decode(key)
        except BadRecord as error:
            raise Refused(HTTPStatus.BAD_REQUEST, f"the key of {table}: {error}") from None

        def look(state: TaskState) -> bytes | None:
            row = looked.get(state, decoded)
            return None if row is None else looked.values.encode(row)

        return self._look(TaskId(sub.name, partition), look)

    def page(
        self, table: str, partition: int, low: bytes, below: bytes | None
    ) -> tuple[tuple[Page, bytes | None], bool]:
        """Rows, and the key from which to go on, None at the end; and whether they may be stale. Raises Refused."""
        sub, looked = self._table(table)
        encode = looked.values.encode

        def look(state: TaskState) -> tuple[Page, bytes | None]:
            seen = list(islice(looked.rows(state, low, below), PAGE))
            rows = [(data, encode(row)) for data, _, row in seen if row is not None]
            return rows, seen[-1][0] + b"\0" if len(seen) == PAGE else None

        return self._look(TaskId(sub.name, partition), look)

    def _table(self, name: str) -> tuple[SubTopology, Looked]:
        found = self._tables.get(name)
        if found is None:
            has = ", ".join(self._tables) or "none"
            raise Refused(HTTPStatus.NOT_FOUND, f"the app has no table {name}; its tables: {has}")
        return found

    def _look(self, task_id: TaskId, look: Callable[[TaskState], Any]) -> tuple[Any, bool]:
        with self._states.look(task_id) as state:
            runs = self._runs(task_id)
            if state is None or runs is None:
                raise Refused(HTTPStatus.MISDIRECTED_REQUEST, f"{task_id} is not here")
            try:
                return look(state), not runs
            except Exception as error:  # the functions of a mapped table are the app's own
                logger.warning("a query of %s failed", task_id, exc_info=True)
                raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}") from error


class AnswerServer(ThreadingHTTPServer):
    """Listens at once, answers from `start` to `close`. Raises StreamsError where it cannot listen."""

    daemon_threads = True
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, host: str, port: int) -> None:
        self.answers: Answers
        self._connections = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="drave-answers", daemon=True)
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise StreamsError(f"queries cannot be answered at {host}:{port}: {error.strerror or error}") from None

    @property
    def address(self) -> str:
        """HOST:PORT, with the port that it got."""
        host, port = self.server_address[:2]
        return f"{host!s}:{port}"

    def start(self, answers: Answers) -> None:
        self.answers = answers
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection; whoever comes when there are too many is closed at once."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        logger.debug("a connection of %s failed", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Drave"
    sys_version = ""
    timeout = IDLE_S
    wbufsize = 65_536  # headers and body in one write: two would wait for each other's acknowledgement
    disable_nagle_algorithm = True
    server: AnswerServer

    def do_GET(self) -> None:
        try:
            table, partition, asked = _understood(self.path)
            if "key" in asked:
                row, stale = self.server.answers.row(table, partition, asked["key"])
                self._answer(HTTPStatus.NO_CONTENT if row is None else HTTPStatus.OK, row or b"", stale, None)
            else:
                low, below = asked.get("from", b""), asked.get("below")
                (rows, goes_on), stale = self.server.answers.page(table, partition, low, below)
                self._answer(HTTPStatus.OK, msgspec.msgpack.encode(rows), stale, goes_on)
        except Refused as refused:
            self._answer(refused.status, refused.why.encode() + b"\n", False, None)

    def _answer(self, status: HTTPStatus, body: bytes, stale: bool, goes_on: bytes | None) -> None:
        self.send_response(status)
        if stale:
            self.send_header(STALE, "yes")
        if goes_on is not None:
            self.send_header(NEXT, quote(goes_on))
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        logger.debug(format, *args)


def _understood(path: str) -> tuple[str, int, dict[str, bytes]]:
    """Table, partition and what is asked. Raises Refused."""
    parts = urlsplit(path)
    match parts.path.split("/"):
        case ["", table, partition] if partition.isascii() and partition.isdigit():
            asked = (each.partition("=") for each in parts.query.split("&") if each)
            known = {name: unquote_to_bytes(value.replace("+", " ")) for name, _, value in asked}
            if known.keys() <= {"key", "from", "below"}:
                return unquote(table), int(partition[:9]), known
    raise Refused(HTTPStatus.BAD_REQUEST, "ask for /TABLE/PARTITION?key=KEY, or ?from=KEY&below=KEY for many rows")
