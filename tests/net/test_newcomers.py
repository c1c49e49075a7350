"""A client that is told the advertised address and never gets there is named in the log; nobody else is."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from drave.model.setting import Address
from drave.net.newcomers import HOSTS_MAX, PATIENCE_S, QUESTIONS, Newcomers
from tests.net.harness import World

ADVERTISED = Address("broker.example", 9092)
Log = Callable[[], list[str]]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    """The warnings since the last call."""

    def heard() -> list[str]:
        lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        caplog.clear()
        return lines

    return heard


@pytest.fixture
def newcomers() -> Newcomers:
    return Newcomers(ADVERTISED)


def ask(newcomers: Newcomers, times: int, host: str = "192.0.2.1") -> None:
    for _ in range(times):
        newcomers.asks(0.0, host, "rdkafka")


def test_who_keeps_asking_is_named_once_with_the_address_and_the_remedy(newcomers: Newcomers, log: Log) -> None:
    ask(newcomers, QUESTIONS)
    newcomers.name_the_lost(PATIENCE_S)
    (said,) = log()
    assert said.startswith(f"192.0.2.1 (client rdkafka) has asked {QUESTIONS} times")
    assert "broker.example:9092" in said
    assert "--advertise" in said
    ask(newcomers, QUESTIONS)
    newcomers.name_the_lost(2 * PATIENCE_S)
    assert log() == []


def test_who_has_asked_little_or_not_for_long_is_left_in_peace(newcomers: Newcomers, log: Log) -> None:
    ask(newcomers, QUESTIONS - 1)
    newcomers.name_the_lost(100 * PATIENCE_S)
    ask(newcomers, 1)
    newcomers.name_the_lost(PATIENCE_S / 2)
    assert log() == []


def test_who_has_come_once_may_ask_as_often_as_it_likes(newcomers: Newcomers, log: Log) -> None:
    ask(newcomers, 1)
    newcomers.came("192.0.2.1")
    ask(newcomers, 10 * QUESTIONS)
    assert not newcomers.asking
    newcomers.name_the_lost(100 * PATIENCE_S)
    assert log() == []


def test_hosts_are_remembered_up_to_a_bound(newcomers: Newcomers, log: Log) -> None:
    for number in range(HOSTS_MAX + 3):
        ask(newcomers, QUESTIONS, f"host {number}")
    newcomers.name_the_lost(PATIENCE_S)
    named = log()
    assert len(named) == HOSTS_MAX
    assert not any(said.startswith("host 0 ") for said in named)


# -- sessions


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(advertise=ADVERTISED)


def asking(world: World) -> None:
    """A connection that asks the way and ends, as librdkafka's do."""
    client = world.client()
    client.send(b"")
    client.session.asks_the_way("rdkafka")
    client.hang_up()
    world.broker.clock.now += PATIENCE_S


def test_connections_that_only_ask_the_way_are_those_of_somebody_who_is_lost(world: World, log: Log) -> None:
    for _ in range(QUESTIONS):
        asking(world)
    world.sessions.sweep()
    assert len(log()) == 1


@pytest.mark.parametrize("stays", [True, False], ids=["still there", "gone"])
def test_one_request_for_anything_else_shows_that_the_client_gets_there(world: World, log: Log, stays: bool) -> None:
    asking(world)
    other = world.client()
    other.session.asks_anybody()
    world.broker.clock.now += 0.001
    other.send(b"n")
    if not stays:
        other.hang_up()
    world.sessions.sweep()
    for _ in range(QUESTIONS):
        asking(world)
    world.sessions.sweep()
    assert log() == []


def test_an_open_connection_that_has_asked_for_nothing_shows_nothing(world: World, log: Log) -> None:
    world.client()
    for _ in range(QUESTIONS):
        asking(world)
    world.sessions.sweep()
    assert len(log()) == 1
