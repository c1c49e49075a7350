"""A table of an app, read from anywhere: its changelogs, followed on a thread into memory.

    app ─▶ changelog ─▶ view ─▶ get("soho")

It shows what is committed and nothing else, some milliseconds later, and goes on showing it while the app restarts,
rebalances or is down. Nobody has to be found or asked; in return the whole table is in the memory of who looks.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, cast

from drave.client.connection import Connection
from drave.client.errors import ClientError
from drave.client.topics import Topics
from drave.streams.errors import ClusterTrouble
from drave.streams.kafka.changelogs import Follower
from drave.streams.looking import Looked
from drave.streams.state import Change
from drave.streams.state.memory import MemoryTaskState

if TYPE_CHECKING:
    from drave.streams.app import App
    from drave.streams.tables import Table
    from drave.streams.transport import Place

V = TypeVar("V")

_WAIT_S: Final = 0.1


class TableView(Generic[V]):
    """`with app.view(table) as view:` begins when the view has caught up once. Any thread may ask.

    Raises ClusterTrouble when the app has never run, no broker answers, or following has failed since.
    """

    def __init__(self, app: App, table: Table[V], connection: Connection) -> None:
        self._name = table.name
        self._group = f"{app.name}-view"
        self._table = Looked(table.output.step)
        topology = app.topology()
        self._stores = {store.source or topology.changelog(store.name): store.name for store in self._table.stores}
        self._connection = connection
        self._state = MemoryTaskState()
        self._failure: BaseException | None = None
        self._changes = 0
        self._moved = threading.Condition()
        self._caught_up = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"view-{table.name}", daemon=True)

    def get(self, key: Any) -> V | None:
        """The key's row; None when it has none. Raises what the functions of a mapped table raise."""
        with self._moved:
            self._check()
            return cast("V | None", self._table.get(self._state, key))

    def items(self) -> Iterator[tuple[Any, V]]:
        """The rows that there are now, and their keys, in the order of the keys' bytes."""
        with self._moved:
            self._check()
            rows = [(key, row) for _, key, row in self._table.rows(self._state) if row is not None]
        return iter(rows)

    def wait(self, timeout_s: float) -> bool:
        """Until something has changed, at most so long; whether it has."""
        with self._moved:
            before = self._changes
            self._moved.wait_for(lambda: self._changes != before or self._failure is not None, timeout_s)
            self._check()
            return self._changes != before

    def __enter__(self) -> Self:
        self._thread.start()
        with self._moved:
            self._moved.wait_for(lambda: self._caught_up or self._failure is not None)
            failed = self._failure is not None
        if failed:
            self.close()
            self._check()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Read on no more. What it has can still be looked at."""
        self._stop.set()
        self._thread.join()

    def _check(self) -> None:
        if self._failure is not None:
            raise ClusterTrouble(f"nothing more can be seen of {self._name}: {self._failure}") from self._failure

    # -- on the view's thread

    def _run(self) -> None:
        from drave.client.librdkafka import OFFSET_BEGINNING

        try:
            places = self._places()
            follower = Follower(self._connection, self._group)
            try:
                follower.follow(dict.fromkeys(places, OFFSET_BEGINNING))
                while not self._stop.is_set():
                    self._take(follower)
            finally:
                follower.close()
        except BaseException as error:
            with self._moved:
                self._failure = error
                self._moved.notify_all()

    def _places(self) -> list[Place]:
        try:
            topics = Topics(self._connection)
            return [(each.topic, each.partition) for topic in self._stores for each in topics.partitions(topic)]
        except ClientError as error:
            raise ClusterTrouble(f"{error} (an app makes its own topics when it first runs)") from None

    def _take(self, follower: Follower) -> None:
        rows: defaultdict[str, list[Change]] = defaultdict(list)
        for message in follower.poll(_WAIT_S):
            rows[self._stores[message.topic()]].append((message.key() or b"", message.value()))
        if not rows and self._caught_up == follower.caught_up:
            return
        with self._moved:
            self._state.commit(rows, {})
            self._changes += bool(rows)
            self._caught_up = follower.caught_up
            self._moved.notify_all()
