"""Readers of what is committed: one that follows, and one that reads it all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from drave.testing import Broker
from interop import reading
from interop.numbers import fill, numbers
from interop.reading import PATIENCE_S, Findings, following, read
from interop.text import AHEAD_WORDS_MAX, Feeder, lines
from torture.kills import Stuck


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker(sets={"num.partitions": "2"}) as broker:
        yield broker


def _transactional(broker: Broker, name: str) -> Any:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": name})
    producer.init_transactions(100)
    producer.begin_transaction()
    producer.produce(name, b"first", partition=0)
    producer.flush(100)
    return producer


def test_numbers_are_in_no_two_partitions() -> None:
    assert numbers(3, 2) == {0: [b"0", b"3"], 1: [b"1", b"4"], 2: [b"2", b"5"]}


def test_both_readers_see_what_was_sent_in_the_order_of_each_partition(broker: Broker) -> None:
    sent = numbers(2, 50)
    fill(broker.bootstrap, "filled", sent)
    findings = Findings()
    with following(broker.bootstrap, "filled", 2, findings) as follower:
        follower.wait_for(100)
    for records in (follower.records, read(broker.bootstrap, "filled", 2)):
        found = {each: [record.value for record in records if record.place.partition == each] for each in (0, 1)}
        assert found == sent


def test_what_was_aborted_is_seen_by_neither(broker: Broker) -> None:
    producer = _transactional(broker, "aborted")
    producer.abort_transaction(10)
    producer.begin_transaction()
    producer.produce("aborted", b"second", partition=0)
    producer.commit_transaction(100)
    findings = Findings()
    with following(broker.bootstrap, "aborted", 2, findings) as follower:
        follower.wait_for(1)
    assert [record.value for record in follower.records] == [b"second"]
    assert read(broker.bootstrap, "aborted", 2) == follower.records


def test_a_transaction_that_stays_open_is_a_finding(broker: Broker) -> None:
    producer = _transactional(broker, "open")
    with pytest.raises(
        Stuck, match=r"open ends at \{0: 1, 1: 0\}, and is decided up to \{0: 0, 1: 0\}: a transaction hangs"
    ):
        read(broker.bootstrap, "open", 2, undecided_s=0)
    producer.abort_transaction(10)


def test_who_waits_hears_at_once_of_what_failed() -> None:
    findings = Findings()
    findings.fail("the feeder: no memory")
    with pytest.raises(Stuck, match="the feeder: no memory"):
        findings.until(lambda: True, lambda: "nothing")


def test_who_waits_in_vain_says_for_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PATIENCE_S", 0.0)
    with pytest.raises(Stuck, match="not within 0 s: rain"):
        Findings().until(lambda: False, lambda: "rain")


def test_a_feeder_sends_exactly_what_it_counts_and_stops_when_nothing_comes_back(broker: Broker) -> None:
    """Nobody counts, so it stops by itself at the words that may be on their way."""
    findings = Findings()
    with following(broker.bootstrap, "nothing", 2, findings) as nothing:
        feeder = Feeder(broker.bootstrap, "lines", 2, lines(7, 0), nothing, findings)
        findings.until(lambda: feeder.words.total() >= AHEAD_WORDS_MAX, lambda: f"{feeder.words.total()} words")
        feeder.end()
        feeder.join(time.monotonic() + PATIENCE_S)
    sent = read(broker.bootstrap, "lines", 2)
    assert findings.failures == []
    assert len(sent) == feeder.lines
    assert sum(len(record.value.split()) for record in sent) == feeder.words.total() == feeder.by_minute.total()
    assert AHEAD_WORDS_MAX <= feeder.words.total() < AHEAD_WORDS_MAX + 10
