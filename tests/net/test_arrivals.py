"""Who is let in: as many as there may be, from one address and in all, and no more quickly than allowed."""

from __future__ import annotations

import pytest

from drave.model.settings import BrokerSettings
from drave.net.arrivals import Arrivals, Verdict
from tests.net.harness import World, now

HERE = "192.0.2.1"
SLOW = {(("ip", HERE),): {"connection_creation_rate": 2.0}}


@pytest.fixture
def arrivals():
    return Arrivals(BrokerSettings())


def settings(**texts):
    return BrokerSettings(**texts)


def overrides(text):
    return BrokerSettings.load(None, {"max.connections.per.ip.overrides": text}, {}).connections_per_ip_overrides


def test_one_address_has_so_many_connections_and_one_that_goes_makes_room(arrivals):
    two = settings(connections_per_ip_max=2)
    assert [arrivals.come(HERE, two, 0.0).refused for _ in range(3)] == ["", "", "max.connections.per.ip=2"]
    assert not arrivals.come("192.0.2.2", two, 0.0).refused
    arrivals.goes(HERE)
    assert not arrivals.come(HERE, two, 0.0).refused


def test_some_addresses_have_another_number(arrivals):
    some = settings(connections_per_ip_max=1, connections_per_ip_overrides=overrides("192.0.2.1:2, ::1:0"))
    assert [arrivals.come(host, some, 0.0).refused for host in (HERE, HERE, HERE, "::1", "::2", "::2")] == [
        "",
        "",
        "max.connections.per.ip=2",
        "max.connections.per.ip=0",
        "",
        "max.connections.per.ip=1",
    ]


def test_an_address_is_the_same_however_its_socket_writes_it(arrivals):
    one = settings(connections_per_ip_max=1)
    assert not arrivals.come("::ffff:192.0.2.1", one, 0.0).refused
    assert arrivals.come(HERE, one, 0.0).refused
    arrivals.goes("::ffff:192.0.2.1")
    assert not arrivals.come(HERE, one, 0.0).refused


def test_connections_of_an_address_that_come_too_quickly_are_refused_after_a_wait(arrivals):
    """KIP-612. At 2 a second, 20 in one go; a wait is no longer than a window."""
    arrivals.follow(SLOW)
    verdicts = [arrivals.come(HERE, settings(), 0.0) for _ in range(21)]
    assert verdicts[:20] == [Verdict()] * 20
    assert verdicts[20] == Verdict(0.5, "connection_creation_rate=2")
    assert arrivals.come("192.0.2.2", settings(), 0.0) == Verdict()
    assert arrivals.come(HERE, settings(), 0.5) == Verdict()


def test_the_default_of_all_addresses_counts_for_each_by_itself(arrivals):
    arrivals.follow({(("ip", None),): {"connection_creation_rate": 1.0}, **SLOW})
    refused = [
        sum(bool(arrivals.come(host, settings(), 0.0).refused) for _ in range(30)) for host in (HERE, "::1", "::2")
    ]
    assert refused == [10, 20, 20]


def test_all_together_come_in_one_after_the_other(arrivals):
    """The broker's own rate: who comes too soon waits for those before it, and is let in."""
    slow = settings(connection_creation_rate_max=2)
    waits = [arrivals.come(f"192.0.2.{number}", slow, 0.0).wait_s for number in range(24)]
    assert waits[:20] == [0.0] * 20
    assert waits == sorted(waits)
    assert 1.5 <= waits[23] <= 4.0, "four too many, at two a second, none of which waits longer than a window"
    assert arrivals.come(HERE, slow, 60.0).wait_s == 0


def test_what_was_refused_counts_for_nothing(arrivals):
    arrivals.follow(SLOW)
    for _ in range(1000):
        arrivals.come(HERE, settings(), 0.0)
    assert arrivals.come(HERE, settings(), 0.5) == Verdict()
    one = settings(connections_per_ip_max=22)
    assert not arrivals.come(HERE, one, 100.0).refused


def test_addresses_from_which_nobody_comes_any_more_are_forgotten(arrivals):
    arrivals.follow(SLOW)
    arrivals.come(HERE, settings(), 0.0)
    arrivals.goes(HERE)
    arrivals.sweep(5.0)
    assert arrivals._rates
    arrivals.sweep(60.0)
    assert (arrivals._rates, arrivals._here) == ({}, {})


# -- as connections see it


def test_who_comes_too_soon_is_answered_when_its_turn_has_come(make_world):
    world: World = make_world(connection_creation_rate_max=1)
    clients = [world.client() for _ in range(12)]
    for client in clients:
        client.send(now(b"hello"))
    assert [client.replies for client in clients[:10]] == [[b"hello"]] * 10
    assert clients[11].replies == []
    world.broker.advance(3)
    assert [client.replies for client in clients] == [[b"hello"]] * 12


async def test_who_is_refused_is_closed_when_its_wait_is_over_and_asks_nothing_before(make_world):
    world: World = make_world()
    await world.broker.catalog.alter_client_quotas({(("ip", HERE),): {"connection_creation_rate": 1.0}})
    clients = [world.client() for _ in range(11)]
    refused = clients[10]
    refused.send(now(b"hello"))
    assert (refused.replies, refused.aborted, len(world.sessions.open)) == ([], False, 10)
    world.broker.advance(1)
    assert refused.aborted
    refused.hang_up()
    for client in clients[:10]:
        client.hang_up()
    assert (world.sessions.open, world.sessions._turned_away, world.sessions.arrivals._here) == ({}, {}, {})


async def test_those_who_wait_to_be_refused_are_no_more_than_connections_may_be(make_world):
    world: World = make_world(connections_max=12)
    await world.broker.catalog.alter_client_quotas({(("ip", HERE),): {"connection_creation_rate": 1.0}})
    clients = [world.client() for _ in range(13)]
    assert [client.aborted for client in clients] == [False] * 12 + [True]


def test_a_flood_that_is_refused_does_not_flood_the_log(make_world, caplog):
    world: World = make_world(connections_per_ip_max=1)
    assert [world.client().aborted for _ in range(101)] == [False] + [True] * 100
    assert len(caplog.records) == 7
    assert "max.connections.per.ip=1" in caplog.text


async def test_quotas_that_change_count_for_sessions_that_are_open(make_world):
    world: World = make_world()
    client = world.client()
    client.send(now(b"before"))
    await world.broker.catalog.alter_client_quotas({(("client-id", "x"),): {"producer_byte_rate": 1.0}})
    assert client.session._asker is None
    client.send(now(b"after"))
    assert client.replies == [b"before", b"after"]
