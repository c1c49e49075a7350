"""What browsers and phones are told, over loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

pytest.importorskip("sse_starlette", reason="examples/rides needs its own libraries: make demo brings them")

import uvicorn

from examples.rides.model import MINUTE_MS, Car, Quote, Rate, Riders, Zone
from examples.rides.view import GroupLag, View
from examples.rides.web import make_site

SQUARE = ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0))


def a_view() -> View:
    view = View()
    view.see(Zone("soho", 1.0, 1.0, SQUARE))
    view.see(Zone("harlem", 3.0, 1.0, SQUARE))
    view.see(Car(1, 1.0, 1.2, True, 5, 0))
    view.see(Car(2, 1.0, 1.1, False, 5, 0))
    view.see(Quote("soho", 5, 1250, 1.4, 9.0, 3))
    return view


@asynccontextmanager
async def served(view: View) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(make_site(view), log_level="error", timeout_graceful_shutdown=1))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await task


class Answer:
    """An HTTP/1.1 answer as it comes in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.status = 0
        self.kind = ""

    async def event(self) -> Any:
        """The data of the next server-sent event."""
        while not (line := await self.reader.readline()).startswith(b"data: "):
            assert line, "the stream has ended"
        return msgspec.json.decode(line[6:])


@asynccontextmanager
async def get(port: int, path: str) -> AsyncIterator[Answer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: rides\r\nConnection: close\r\n\r\n".encode())
    answer = Answer(reader, writer)
    answer.status = int((await reader.readline()).split()[1])
    while (line := await reader.readline()).strip():
        name, _, value = line.decode().partition(":")
        if name.lower() == "content-type":
            answer.kind = value.strip()
    try:
        yield answer
    finally:
        writer.close()


async def body(port: int, path: str) -> tuple[int, bytes]:
    async with get(port, path) as answer:
        return answer.status, await answer.reader.read()


async def test_the_page_is_whole_and_asks_nobody_else() -> None:
    async with served(View()) as port:
        for path, needle in (
            ("/", b"<canvas"),
            ("/page.css", b"--water"),
            ("/map.js", b"class CityMap"),
            ("/page.js", b"EventSource"),
        ):
            status, text = await body(port, path)
            assert status == 200
            assert needle in text
            foreign = text.replace(b"http://www.w3.org/2000/svg", b"")
            assert b"http://" not in foreign
            assert b"https://" not in foreign


async def test_a_browser_is_told_everything_first_and_then_what_is_new() -> None:
    view = a_view()
    async with served(view) as port, get(port, "/events") as answer:
        assert answer.kind.startswith("text/event-stream")
        first = await answer.event()
        assert {"zones", "cars", "quotes"} <= first.keys()
        assert first["cars"] == [[1, 1.0, 1.2, True], [2, 1.0, 1.1, False]]
        view.see(Car(2, 1.0, 1.5, True, 9, 9))
        assert await answer.event() == {"version": view.version, "now": 9, "cars": [[2, 1.0, 1.5, True]]}


async def test_a_browser_that_comes_back_is_told_everything_again() -> None:
    async with served(a_view()) as port:
        for _ in range(2):
            async with get(port, "/events") as answer:
                assert len((await answer.event())["zones"]) == 2


async def test_a_phone_is_told_who_is_near_and_free_and_when_that_changes() -> None:
    view = a_view()
    async with served(view) as port, get(port, "/nearby?x=1&y=1") as answer:
        offer = await answer.event()
        assert (offer["zone"], offer["cents"]) == ("soho", 1250)
        assert [(car["car"], car["miles"]) for car in offer["cars"]] == [(1, 0.2)]
        view.see(Car(2, 1.0, 1.1, True, 9, 9))
        assert [car["car"] for car in (await answer.event())["cars"]] == [2, 1]


async def test_a_phone_that_does_not_say_where_it_is_is_told_how() -> None:
    async with served(View()) as port:
        for path in ("/nearby", "/nearby?x=1&y=north"):
            status, text = await body(port, path)
            assert status == 400
            assert b"/nearby?x=MILES&y=MILES" in text


async def test_a_phone_can_ask_once() -> None:
    async with served(a_view()) as port:
        status, text = await body(port, "/nearby?x=2.9&y=1&once")
        assert (status, msgspec.json.decode(text)["zone"]) == (200, "harlem")


def test_riders_are_those_of_the_fullest_window_that_is_not_over() -> None:
    view = a_view()
    view.see(Riders("soho", 0, 15 * MINUTE_MS, 7, 5))
    view.see(Riders("soho", 5 * MINUTE_MS, 20 * MINUTE_MS, 4, 3))
    assert view.riders("soho") == 7
    view.see(Car(1, 1.0, 1.0, True, 16 * MINUTE_MS, 0))
    assert view.riders("soho") == 4
    assert view.riders("nowhere") == 0


def test_news_are_what_came_after_what_was_seen() -> None:
    view = a_view()
    seen = view.version
    view.see(Rate("trips", 0, MINUTE_MS, 12))
    view.see(Rate("trips", MINUTE_MS, 2 * MINUTE_MS, 15))
    view.see_groups({"pricing": GroupLag("pricing", "stable", 4)})
    news = view.news(seen)
    assert news["rates"] == [["trips", [12, 15]]]
    assert news["groups"] == [[{"group": "pricing", "state": "stable", "lag": 4}]]
    assert view.news(view.version).keys() == {"version", "now"}
