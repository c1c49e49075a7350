"""What a process answers of its tables: what is committed, where it is, and a clear word where it is not."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from drave.streams import App, agg, count
from drave.streams.errors import Aborted, StreamsError
from drave.streams.looking import Looked
from drave.streams.serving import PAGE, Answers, AnswerServer, Page, Refused
from drave.streams.state import TaskId
from drave.streams.state.memory import MemoryStates
from drave.streams.state.shared import SharedStates
from drave.streams.testing import TestDriver
from tests.streams.rides import Ride, Zone, ride


class Row(msgspec.Struct):
    rides: int
    fare: int


def built() -> App:
    app = App("app", on_error="skip")
    rides = app.topic("rides", Ride, key="zone", time="time")
    zones = app.table("zones", Zone, key="id")
    rows = rides.by_key().agg(Row, rides=count(), fare=agg.sum("fare"), name="by-zone")
    rows.filter(lambda row: row.rides > 1, name="busy")
    rows.map(lambda row: 10 // (row.rides - 3), name="odd", type=int)
    rows.outer_join(zones, name="both")
    return app


TASK = TaskId("rides+zones", 0)


@contextmanager
def answering(app: App) -> Iterator[tuple[TestDriver, Answers]]:
    """An app in the test driver whose one process could be asked."""
    with app.test() as t:
        t.crash()
        process = t.processes[0]
        states = SharedStates(MemoryStates())
        process.states = states
        t.recover()
        yield t, Answers(t.topology, states, lambda task_id: process.engine and process.engine.runs(task_id))


def test_a_row_is_what_is_committed_and_nothing_else():
    app = built()
    with answering(app) as (t, answers):
        t.send("rides", ride(1, fare=5))
        assert answers.row("by-zone", 0, b"soho") == (b'{"rides":1,"fare":5}', False)

        def on_call(call: str) -> None:
            if call == "commit":
                raise Aborted("by the test")

        t.on_call = on_call
        t.publish("rides", ride(2, fare=7))
        t.turn()
        t.on_call = lambda call: None
        (task,) = t.engine.tasks.values() or (None,)
        assert task is None or task.id == TASK
        t.run()
        assert answers.row("by-zone", 0, b"soho") == (b'{"rides":2,"fare":12}', False)
        assert answers.row("by-zone", 0, b"camden") == (None, False)


def test_tables_of_tables_are_computed_by_their_functions():
    app = built()
    with answering(app) as (t, answers):
        t.publish("zones", Zone("soho", 3), Zone("camden", 4))
        t.send("rides", ride(1), ride(2), ride(3, zone="city"))
        assert answers.row("busy", 0, b"city") == (None, False)
        assert answers.row("busy", 0, b"soho")[0] == b'{"rides":2,"fare":2}'
        assert answers.row("zones", 0, b"soho")[0] == b'{"id":"soho","base":3}'
        assert answers.row("both", 0, b"camden")[0] == b'[null,{"id":"camden","base":4}]'
        (rows, goes_on), _ = answers.page("both", 0, b"", None)
        assert ([key for key, _ in rows], goes_on) == ([b"camden", b"city", b"soho"], None)
        both = next(step for step in t.topology.steps if step.name == "both")
        assert Looked(both).values.decode(rows[1][1]) == (Row(1, 1), None)


def test_many_rows_come_in_pages_and_between_bounds():
    app = built()
    with answering(app) as (t, answers):
        t.send("rides", *(ride(number, zone=f"z{number:04}") for number in range(PAGE + 3)))
        (rows, goes_on), _ = answers.page("by-zone", 0, b"", None)
        assert (len(rows), rows[0][0]) == (PAGE, b"z0000")
        assert goes_on is not None
        (rest, end), _ = answers.page("by-zone", 0, goes_on, None)
        assert ([key for key, _ in rest], end) == ([b"z0500", b"z0501", b"z0502"], None)
        (few, _), _ = answers.page("by-zone", 0, b"z0007", b"z0009")
        assert [key for key, _ in few] == [b"z0007", b"z0008"]


@pytest.mark.parametrize(
    ("ask", "status", "why"),
    [
        (lambda answers: answers.row("nothing", 0, b"a"), 404, "no table nothing; its tables: .*by-zone"),
        (lambda answers: answers.row("rides", 0, b"a"), 404, "no table rides"),
        (lambda answers: answers.row("by-zone", 7, b"a"), 421, r"rides\+zones-7 is not here"),
        (lambda answers: answers.row("by-zone", 0, b"\xff"), 400, "the key of by-zone: .*utf-8"),
        (lambda answers: answers.row("odd", 0, b"z3"), 500, "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(
    ask: Callable[[Answers], object], status: int, why: str
) -> None:
    with answering(built()) as (t, answers):
        t.send("rides", *(ride(number, zone="z3") for number in range(3)))
        with pytest.raises(Refused, match=why) as refused:
            ask(answers)
        assert refused.value.status == status


def test_a_copy_says_that_it_may_be_stale_and_a_task_that_is_gone_is_not_here():
    role: list[bool | None] = [False]
    states = SharedStates(MemoryStates())
    answers = Answers(built().topology(), states, lambda task_id: role[0])
    state = states.open(TASK)
    state.commit({"zones": [(b"soho", b'{"id":"soho","base":3}')]}, {})
    assert answers.row("zones", 0, b"soho") == (b'{"id":"soho","base":3}', True)
    role[0] = None  # it is being restored
    with pytest.raises(Refused, match="not here"):
        answers.row("zones", 0, b"soho")
    role[0] = True
    state.close()
    with pytest.raises(Refused, match="not here"):
        answers.row("zones", 0, b"soho")


# -- over HTTP


@pytest.fixture
def line() -> Iterator[http.client.HTTPConnection]:
    """To a server with the rows of one table."""
    states = SharedStates(MemoryStates())
    server = AnswerServer("127.0.0.1", 0)
    server.start(Answers(built().topology(), states, lambda task_id: False))
    names = ("soho", "a&b=c/d é", *(f"z{number:04}" for number in range(PAGE)))
    rows = [(name.encode(), msgspec.json.encode(Zone(name, 1))) for name in names]
    states.open(TASK).commit({"zones": rows}, {})
    connection = http.client.HTTPConnection(server.address)
    yield connection
    connection.close()
    server.close()


def test_one_connection_is_asked_again_and_again(line: http.client.HTTPConnection):
    def asked(path: str) -> tuple[int, bytes, str | None]:
        line.request("GET", path)
        response = line.getresponse()
        return response.status, response.read(), response.getheader("Drave-Stale")

    assert asked("/zones/0?key=soho") == (200, b'{"id":"soho","base":1}', "yes")
    assert asked("/zones/0?key=a%26b%3Dc%2Fd%20%C3%A9")[0] == 200
    assert asked("/zones/0?key=nowhere") == (204, b"", "yes")
    assert asked("/zones/1?key=soho") == (200, b'{"id":"soho","base":1}', "yes") or asked("/zones/1?key=soho")[0] == 421
    assert asked("/zones/x?key=soho")[0] == 400
    assert asked("/zones/0?ley=soho")[0] == 400
    assert asked("/")[1].startswith(b"ask for /TABLE/PARTITION?key=KEY")


def test_a_page_says_where_the_next_begins(line: http.client.HTTPConnection):
    line.request("GET", "/zones/0?from=b")
    response = line.getresponse()
    first = msgspec.msgpack.decode(response.read(), type=Page)
    assert (len(first), first[0][0]) == (PAGE, b"soho")
    line.request("GET", f"/zones/0?from={response.getheader('Drave-Next')}")
    response = line.getresponse()
    assert [key for key, _ in msgspec.msgpack.decode(response.read(), type=Page)] == [b"z0499"]
    assert response.getheader("Drave-Next") is None


def test_a_port_that_is_taken_is_one_sentence():
    server = AnswerServer("127.0.0.1", 0)
    with pytest.raises(StreamsError, match=f"cannot be answered at {server.address}: "):
        AnswerServer("127.0.0.1", int(server.address.rpartition(":")[2]))
    server.close()
