"""What is waited for, and what is not."""

from __future__ import annotations

import logging

import pytest
from confluent_kafka import KafkaError, KafkaException

from drave.client.connection import Connection
from drave.client.errors import NotFound, NotListening, Unreachable
from drave.streams.errors import ClusterTrouble
from drave.streams.kafka import patience
from drave.streams.kafka.patience import Outage, patiently


class Hours:
    """A clock that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Hours:
    made = Hours()
    monkeypatch.setattr(patience, "time", made)
    return made


def test_not_now_is_asked_again(hours: Hours) -> None:
    answers = [
        Unreachable("nobody"),
        KafkaException(KafkaError(KafkaError._TRANSPORT)),
        KafkaException(KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)),
    ]

    def ask() -> str:
        if answers:
            raise answers.pop(0)
        return "at last"

    assert patiently(ask, "ask") == "at last"


def test_never_is_not_asked_again_and_is_told(hours: Hours) -> None:
    def ask() -> None:
        raise NotFound("topic rides does not exist")

    with pytest.raises(ClusterTrouble, match="topic rides does not exist"):
        patiently(ask, "ask")
    assert hours.now == 0


def test_patience_ends(hours: Hours) -> None:
    def ask() -> None:
        raise KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))

    with pytest.raises(ClusterTrouble, match="cannot commit offsets: "):
        patiently(ask, "commit offsets")
    assert hours.now > patience.OUTAGE_S_MAX


def test_an_outage_is_told_once_and_so_is_its_end(hours: Hours, caplog: pytest.LogCaptureFixture) -> None:
    there = True
    outage = Outage("kafka:9092", lambda: there)
    outage.heard(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    outage.mind()
    assert not caplog.messages, "it was old news"
    there = False
    outage.mind()
    assert not caplog.messages, "nobody complained"
    outage.heard(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    for _ in range(3):
        outage.mind()
        hours.now += 10
    there = True
    with caplog.at_level(logging.WARNING):
        outage.mind()
        outage.mind()
    assert caplog.messages == [
        "no broker answers at kafka:9092; waiting for one",
        "kafka:9092 answers again, after 30 s",
    ]


def test_an_outage_without_an_end_ends_the_app(hours: Hours) -> None:
    outage = Outage("kafka:9092", lambda: False)
    outage.heard(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    outage.mind()
    hours.now += patience.OUTAGE_S_MAX + 1
    with pytest.raises(ClusterTrouble, match="no broker has answered at kafka:9092 for 121 s"):
        outage.mind()


class Closed(Connection):
    """Nobody listens so many times."""

    def check(self) -> None:
        looks = int(self.properties["looks"])
        object.__setattr__(self, "properties", {"looks": str(looks - 1)})
        if looks > 0:
            raise NotListening("no broker answers at nowhere:1")


def test_a_broker_that_comes_later_is_waited_for_and_that_is_said_once(
    hours: Hours, caplog: pytest.LogCaptureFixture
) -> None:
    patience.await_broker(Closed(properties={"looks": "3"}))
    assert [record.getMessage() for record in caplog.records] == ["no broker answers at nowhere:1. Waiting for one"]


def test_one_that_does_not_come_is_not_waited_for_for_ever(hours: Hours) -> None:
    with pytest.raises(Unreachable, match="no broker answers"):
        patience.await_broker(Closed(properties={"looks": "100000"}))
    assert 120 <= hours.now < 121


def test_what_waiting_does_not_mend_is_said_at_once() -> None:
    class Other(Connection):
        def check(self) -> None:
            raise Unreachable("what listens at nowhere:1 speaks HTTP")

    with pytest.raises(Unreachable, match="speaks HTTP"):
        patience.await_broker(Other())
