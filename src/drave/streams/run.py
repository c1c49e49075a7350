"""A process of an app, from its folder to its last commit.

    slot ─▶ transport ─▶ engine ─▶ turn, turn, turn … until it is asked to stop ─▶ commit ─▶ leave the group

Slots are folders `0`, `1`, … below the app's state folder: a process takes the first that nobody holds. So starting the
same app once more, on the same machine or another, is all there is to scaling it, and a process that restarts finds its
own state and fences its own corpse.

A signal only asks; it never breaks into a step, which would leave half of what a record does.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from drave.client.connection import Connection
from drave.model.system import SystemClock
from drave.streams.engine import Engine, EngineSettings
from drave.streams.errors import BadTopology, StateInUse, StreamsError
from drave.streams.kafka.transport import KafkaTransport
from drave.streams.loops import AsyncLoop
from drave.streams.progress import RestoreProgress
from drave.streams.serving import Answers, AnswerServer
from drave.streams.state import States
from drave.streams.state.folder import StateFolder
from drave.streams.state.shared import SharedStates
from drave.streams.task import Observe, unobserved

if TYPE_CHECKING:
    from drave.streams.app import App

logger = logging.getLogger("drave.streams")

STORES: Final = ("sqlite", "rocksdb", "memory")
TURN_S: Final = 0.1
_SLOTS_MAX: Final = 1000


class Runner:
    """`with Runner(app, connection, folder) as runner: runner.run()`. Raises StreamsError's kinds.

    With `serve` it answers queries there, and tells others to ask there, or at `advertise`. `observe` may put something
    around each step; `on_start` is called when all topics are there and the group is being joined, `on_turn` after each
    turn, on the engine's thread.
    """

    def __init__(
        self,
        app: App,
        connection: Connection,
        folder: Path,
        *,
        store: str = "sqlite",
        serve: tuple[str, int] | None = None,
        advertise: str | None = None,
        observe: Observe = unobserved,
        on_start: Callable[[], None] = lambda: None,
        on_turn: Callable[[Engine], None] = lambda engine: None,
    ) -> None:
        self.app = app
        self._on_start = on_start
        self._on_turn = on_turn
        self._stop = threading.Event()
        with ExitStack() as stack:
            self.slot = stack.enter_context(free_slot(folder))
            loop = AsyncLoop()
            stack.callback(loop.close)
            transport = KafkaTransport(
                connection, app.name, worker=self.slot.worker, exactly_once=app.guarantee == "exactly_once"
            )
            states = states_in(self.slot.tasks, store)
            server = self.server = None if serve is None else AnswerServer(*serve)
            if server is not None:
                states = SharedStates(states)
                stack.callback(server.close)
            settings = EngineSettings(
                commit_interval_s=app.commit_interval_s,
                idle_s=app.idle_s,
                on_error=app.on_error,
                standby=app.standby,
                address="" if server is None else advertise or _reachable(server.address),
            )
            topology = app.topology()
            self.engine = Engine(topology, transport, states, SystemClock(), settings, async_loop=loop, observe=observe)
            if server is not None and isinstance(states, SharedStates):
                server.start(Answers(topology, states, self.engine.runs))
            self.address = settings.address
            """Where queries are answered; empty when they are not."""
            self._stack = stack.pop_all()

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self) -> None:
        """Until `stop` is called; then commit and leave. What fails leaves as a crash would."""
        try:
            self.engine.start()
            self._on_start()
            with RestoreProgress() as progress:
                while not self._stop.is_set():
                    self.engine.turn(TURN_S)
                    progress.look(self.engine.restoring.values())
                    self._on_turn(self.engine)
        except BaseException:
            self.engine.abandon()
            raise
        self.engine.close()

    def stop(self) -> None:
        """Ask `run` to end; from any thread."""
        self._stop.set()


def run(
    app: App,
    bootstrap: str,
    *,
    folder: Path,
    store: str = "sqlite",
    serve: tuple[str, int] | None = None,
    advertise: str | None = None,
    properties: Mapping[str, str] | None = None,
) -> None:
    """Run `app` until SIGINT or SIGTERM."""
    connection = Connection(bootstrap=bootstrap, properties=properties or {})
    with (
        Runner(app, connection, folder, store=store, serve=serve, advertise=advertise) as runner,
        stopping(runner.stop),
    ):
        runner.run()


def _reachable(address: str) -> str:
    """Raises StreamsError for what others cannot dial."""
    if address.rpartition(":")[0] in ("0.0.0.0", "::"):
        raise StreamsError(f"nobody can dial {address}: say at which HOST:PORT others reach this process (--advertise)")
    return address


def default_folder(app: str) -> Path:
    """Where an app keeps its state unless it is told otherwise."""
    return Path("drave-streams") / app


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """A block in which SIGINT and SIGTERM call `stop`; outside of the main thread it is left to others."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def asked(number: int, frame: Any) -> None:
        stop()

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def free_slot(folder: Path) -> StateFolder:
    """The first slot of `folder` that no process holds. Raises StateInUse when there is none."""
    for number in range(_SLOTS_MAX):
        try:
            return StateFolder(folder / str(number))
        except StateInUse as error:
            held = error
    raise held


def states_in(folder: Path, store: str) -> States:
    """The backend of that name. Raises BadTopology for one that there is not."""
    if store == "sqlite":
        from drave.streams.state.sqlite import SqliteStates

        return SqliteStates(folder)
    if store == "rocksdb":
        from drave.streams.state.rocksdb import RocksStates

        return RocksStates(folder)
    if store == "memory":
        from drave.streams.state.memory import MemoryStates

        return MemoryStates()
    raise BadTopology(f"state can be kept in {', '.join(STORES)}, not in {store!r}")
