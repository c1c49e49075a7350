"""The programs that are run, in the order of the page's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from interop import connect, copier, flink, mirror, smoke, transactions, words
from interop.stage import Outcome, Stage


@dataclass(frozen=True, slots=True)
class Play:
    """One program, or several that belong together."""

    name: str
    title: str
    does: str
    """What it does, and what is judged, for the page."""
    run: Callable[[Stage], Outcome]
    kills: int
    """How many blows fall, unless it is told otherwise."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the broker; without them it is as it comes."""


PLAYS: Final = (
    Play(
        "words",
        "Kafka Streams, `exactly_once_v2`",
        "two processes count words, in all and per minute, through a repartition topic that is purged and two stores "
        "whose changelogs are compacted; every single count is 1, 2, 3, … up to the exact answer, in both outputs, and "
        "what is left of it in both changelogs",
        words.run,
        kills=25,
        settings={"log.cleaner.backoff.ms": "1000", "log.initial.task.delay.ms": "1000"},  # its lives are short
    ),
    Play(
        "words-streams",
        "Kafka Streams, `group.protocol=streams`",
        "the same, with tasks that the broker assigns (KIP-1071), and a standby of each on the other process",
        partial(words.run, protocol="streams"),
        kills=25,
        settings={
            "log.cleaner.backoff.ms": "1000",
            "log.initial.task.delay.ms": "1000",
            "group.streams.num.standby.replicas": "1",
            "group.streams.session.timeout.ms": "6000",
            "group.streams.min.session.timeout.ms": "6000",
            "group.streams.heartbeat.interval.ms": "1000",
            "group.streams.min.heartbeat.interval.ms": "1000",
        },
    ),
    Play(
        "copier",
        "Kafka's transactional copier",
        "two of them, each with a partition or both in a group, copy numbers with their offsets in one transaction, "
        "and abort some on purpose; each number came out once, in order",
        copier.run,
        kills=20,
    ),
    Play(
        "smoke",
        "Kafka's smoke test of Streams",
        "minimum, maximum, sum, count, average, windows, suppression and a foreign-key join in two processes, under "
        "exactly-once; its own driver judges each result",
        smoke.run,
        kills=9,
    ),
    Play(
        "flink",
        "Flink with its Kafka connector",
        "copies numbers with an exactly-once sink, each life going on from the last checkpoint and committing what the "
        "one before it had prepared; each number came out once, in order",
        flink.run,
        kills=15,
    ),
    Play(
        "transactions",
        "Kafka's kafka-transactions",
        "lists and describes open transactions and their producers, looks for hanging ones, aborts one by its offset, "
        "and ends one by force, whose producer is then fenced",
        transactions.run,
        kills=0,
    ),
    Play(
        "connect",
        "Kafka Connect, exactly-once source",
        "a distributed worker carries lines from a file to a topic, with their offsets in one transaction, and on to a "
        "second file; the topic has each line once, in order",
        connect.run,
        kills=9,
    ),
    Play(
        "mirror",
        "MirrorMaker 2, exactly-once source",
        "mirrors a topic to another broker, each number once and in the partition of its original, and brings a "
        "group's offsets along",
        mirror.run,
        kills=8,
    ),
)
