"""Sessions of clients with quotas, on a whole broker: from the bytes of their requests to those of the replies."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from drave.net.listener import Sessions
from drave.wire.api import ApiKey
from drave.wire.frames import decode_reply, encode_request
from drave.wire.messages.k00_produce import ProduceResponse
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from tests.broker.still import StillBroker, batch_of, produce_request
from tests.net import harness

VERSION = 12
BIG = b"x" * 3000
"""Two of them are over what a rate of 500 gives in one go."""


class LimitedClient:
    """A client with an id, and what it was answered."""

    def __init__(self, still: StillBroker, sessions: Sessions, client_id: str) -> None:
        self._still = still
        self._end = harness.Client(sessions)
        self._client_id = client_id
        self._numbers = itertools.count()
        self._taken = 0

    def send(self, request: Any, key: int, version: int) -> None:
        self._end.send_bytes(b"".join(encode_request(key, version, next(self._numbers), self._client_id, request)))

    def produce(self, *values: bytes, acks: int = -1) -> list[int]:
        """One Produce; the waits that were told since the last time."""
        self.send_produce(*values, acks=acks)
        return self.waits()

    def send_produce(self, *values: bytes, acks: int = -1) -> None:
        self.send(produce_request("topic", {0: batch_of(*values)}, acks=acks), ApiKey.PRODUCE, VERSION)

    def waits(self) -> list[int]:
        """The throttle_time_ms of every reply that has come since the last time."""
        self._end.arrive()
        self._still.commit()
        received = bytes(self._end.received[self._taken :])
        waits = []
        while received:
            size = int.from_bytes(received[:4])
            _, response = decode_reply(ApiKey.PRODUCE, VERSION, received[4 : 4 + size])
            assert isinstance(response, ProduceResponse)
            assert response.responses[0].partition_responses[0].error_code == 0
            waits.append(response.throttle_time_ms)
            self._taken += 4 + size
            received = received[4 + size :]
        return waits


@pytest.fixture
def sessions(still: StillBroker) -> Sessions:
    still.create("topic")
    return Sessions(still.broker)


@pytest.fixture
def still() -> StillBroker:
    return StillBroker()


def limit(still: StillBroker, client_id: str, rate: float | None) -> None:
    altering = still.broker.catalog.alter_client_quotas({(("client-id", client_id),): {"producer_byte_rate": rate}})
    asyncio.run(altering)  # a catalog in memory never waits


def test_a_producer_over_its_rate_is_answered_at_once_and_its_next_request_waits(
    still: StillBroker, sessions: Sessions
) -> None:
    limit(still, "app", 500)
    client = LimitedClient(still, sessions, "app")
    assert client.produce(BIG) == [0]
    (wait_ms,) = client.produce(BIG)
    assert 2000 <= wait_ms <= 3000
    assert client.produce(b"small") == []
    still.advance(wait_ms - 1)
    assert client.waits() == []
    still.advance(1)
    assert len(client.waits()) == 1


def test_what_a_producer_sends_ahead_waits_before_anything_of_it_is_durable(
    still: StillBroker, sessions: Sessions
) -> None:
    """Or all that it has sent until then would be taken in one go, and make for a very long wait."""
    limit(still, "app", 500)
    client = LimitedClient(still, sessions, "app")
    for _ in range(4):
        client.send_produce(BIG)
    assert len(client.waits()) == 2
    still.advance(100_000)
    assert len(client.waits()) == 2


def test_without_acknowledgements_it_is_held_all_the_same_and_nothing_is_lost(
    still: StillBroker, sessions: Sessions
) -> None:
    limit(still, "app", 500)
    client = LimitedClient(still, sessions, "app")
    for _ in range(4):
        client.produce(BIG, acks=0)
    topic = still.broker.topic("topic")
    assert len(still.batches(topic)) == 2
    for _ in range(2):
        still.advance(100_000)
        client.waits()
    assert len(still.batches(topic)) == 4


def test_a_quota_counts_from_the_next_request_on_and_no_longer_when_it_is_taken(
    still: StillBroker, sessions: Sessions
) -> None:
    client = LimitedClient(still, sessions, "app")
    assert client.produce(BIG) == [0]
    limit(still, "app", 100)
    (wait_ms,) = client.produce(BIG)
    assert wait_ms > 0
    still.advance(wait_ms)
    limit(still, "app", None)
    assert [client.produce(BIG) for _ in range(3)] == [[0]] * 3


def test_clients_of_other_ids_are_not_held(still: StillBroker, sessions: Sessions) -> None:
    limit(still, "app", 1)
    app, web = LimitedClient(still, sessions, "app"), LimitedClient(still, sessions, "web")
    assert app.produce(BIG) != [0]
    assert [web.produce(BIG) for _ in range(3)] == [[0]] * 3


def test_two_connections_of_one_client_share_its_rate(still: StillBroker, sessions: Sessions) -> None:
    limit(still, "app", 500)
    one, other = LimitedClient(still, sessions, "app"), LimitedClient(still, sessions, "app")
    assert one.produce(BIG) == [0]
    assert other.produce(BIG) != [0]


def test_its_other_requests_cost_it_nothing_but_wait_with_the_connection(
    still: StillBroker, sessions: Sessions
) -> None:
    limit(still, "app", 500)
    client = LimitedClient(still, sessions, "app")
    for _ in range(200):
        client.send(HeartbeatRequest(group_id="g", generation_id=1, member_id="m"), ApiKey.HEARTBEAT, 0)
    rate = still.broker.quotas.limits_of("app").produce
    assert rate is not None
    assert rate.is_idle(still.clock.monotonic() * 1000)
