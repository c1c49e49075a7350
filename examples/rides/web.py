"""The page, and where phones ask: `python -m examples.rides.web`.

    results ─▶ a thread that reads them ─┐                  ┌─ /         the page
    groups ──▶ a thread that asks ───────┴─▶ loop: View ────┼─ /events   what is new, five times a second (SSE)
                                                            ├─ /nearby   the free cars around a phone (SSE)
                                                            └─ /state    everything, once

It keeps nothing: it reads the results from their beginning, in no group, so any number of it can run, and one that was
killed knows everything again at once. Browsers come back by themselves and are told everything first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from drave.client.connection import Connection
from drave.client.errors import ClientError
from drave.client.groups import Groups
from drave.client.topics import Topics
from examples.rides.model import APPS, TOPICS
from examples.rides.view import SHOWN, GroupLag, View

NEWS_S: Final = 0.2
OFFER_S: Final = 0.5

_PAGE: Final = Path(__file__).parent / "page"
_AT_ONCE_MAX: Final = 2_000
_POLL_S: Final = 0.1
_LAGS_S: Final = 1.0

logger = logging.getLogger("rides.web")
_encode: Final = msgspec.json.Encoder().encode


def make_site(view: View, *, lifespan: Callable[[Starlette], Any] | None = None) -> Starlette:
    """The web application around a view."""

    async def state(request: Request) -> Response:
        return _json(view.news(0))

    async def events(request: Request) -> Response:
        return EventSourceResponse(_news(view), headers={"cache-control": "no-store"})

    async def nearby(request: Request) -> Response:
        try:
            x, y = float(request.query_params["x"]), float(request.query_params["y"])
        except (KeyError, ValueError):
            return _json({"error": "say where you are: /nearby?x=MILES&y=MILES, from the upper left corner"}, 400)
        if "once" in request.query_params:
            return _json(view.offer(x, y))
        return EventSourceResponse(_offers(view, x, y), headers={"cache-control": "no-store"})

    routes = [
        Route("/state", state),
        Route("/events", events),
        Route("/nearby", nearby),
        Mount("/", StaticFiles(directory=_PAGE, html=True)),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _json(document: object, status: int = 200) -> Response:
    return Response(_encode(document), status, media_type="application/json")


async def _news(view: View) -> AsyncIterator[dict[str, str]]:
    seen = 0
    while True:
        if view.version > seen or seen == 0:
            yield {"event": "news", "data": _encode(view.news(seen)).decode()}
            seen = view.version
        await asyncio.sleep(NEWS_S)


async def _offers(view: View, x: float, y: float) -> AsyncIterator[dict[str, str]]:
    told: dict[str, Any] = {}
    while True:
        offer = view.offer(x, y)
        if offer != told:
            told = offer
            yield {"event": "offer", "data": _encode(offer).decode()}
        await asyncio.sleep(OFFER_S)


class Feed:
    """Two threads that tell a loop's view what they have read. `start` returns at once, `stop` when both have ended."""

    def __init__(self, connection: Connection, view: View, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._view = view
        self._loop = loop
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=work.__name__, daemon=True) for work in (self._read, self._ask)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        """Read for ever; begin anew, from the beginning, where the cluster is away as one begins."""
        while not self._stop.is_set():
            try:
                self._read_on()
            except ClientError as error:
                logger.warning("%s; trying again", error)
                self._stop.wait(_LAGS_S)

    def _read_on(self) -> None:
        from drave.client.librdkafka import OFFSET_BEGINNING, TopicPartition

        decoders = {topic: msgspec.json.Decoder(TOPICS[topic].kind).decode for topic in SHOWN}
        topics = Topics(self._connection)
        places = [each for topic in SHOWN for each in topics.partitions(topic)]
        consumer = self._connection.consumer(
            f"rides-web-{uuid.uuid4().hex[:8]}", **{"enable.auto.commit": False, "isolation.level": "read_committed"}
        )
        try:
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for topic, partition in places])
            while not self._stop.is_set():
                messages = consumer.consume(_AT_ONCE_MAX, _POLL_S)
                values = [
                    decoders[message.topic() or ""](message.value() or b"null")
                    for message in messages
                    if message.error() is None
                ]
                if values:
                    self._tell(self._see, values)
        finally:
            consumer.close()

    def _see(self, values: Sequence[object]) -> None:
        for value in values:
            self._view.see(value)

    def _ask(self) -> None:
        while not self._stop.wait(_LAGS_S):
            self._tell(self._view.see_groups, {app: _lag(self._connection, app) for app in APPS})

    def _tell(self, what: Callable[[Any], None], news: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(what, news)


def _lag(connection: Connection, group: str) -> GroupLag:
    try:
        found = Groups(connection).describe(group)
    except ClientError:
        return GroupLag(group, "away", None)
    return GroupLag(group, found.state if found.members else "away", found.lag)


@click.command()
@click.option("--bootstrap", default="localhost:9092", show_default=True, metavar="HOST:PORT")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
def main(bootstrap: str, port: int) -> None:
    """Serve the page of the ride-sharing service."""
    view = View()

    @contextlib.asynccontextmanager
    async def lifespan(site: Starlette) -> AsyncIterator[None]:
        feed = Feed(Connection(bootstrap=bootstrap), view, asyncio.get_running_loop())
        feed.start()
        try:
            yield
        finally:
            await asyncio.to_thread(feed.stop)

    uvicorn.run(
        make_site(view, lifespan=lifespan),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
