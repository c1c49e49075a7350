"""Differences that show in many areas, each for one reason."""

from __future__ import annotations

from typing import Any, Final

from differential.compare import ABSENT
from differential.judging import ANY, Reason

IN_PRODUCE: Final = "`error_message` in Produce"
"""The row of README's table that speaks of refusals of a Produce."""


def refusals_say_why(
    cases: str, place: str = "*.error_message", *, kafka: Any = ABSENT, readme: str | None = None
) -> Reason:
    return Reason(cases=cases, place=place, kafka=kafka, drave="...", why="a refusal says why", readme=readme)


def refused_batches_have_no_place(
    cases: str, place: str = "*Produce.*.log_start_offset", *, kafka: Any = ANY
) -> Reason:
    return Reason(
        cases=cases,
        place=place,
        kafka=kafka,
        drave=ABSENT,
        why="a refused batch has no place in the log; Kafka tells the log's start with some refusals only",
    )


def duplicates_have_their_own_time(
    cases: str, place: str = "*Produce.*.log_append_time_ms", *, kafka: Any = ANY
) -> Reason:
    return Reason(
        cases=cases,
        place=place,
        kafka=kafka,
        drave=ABSENT,
        why="a duplicate's batch has its producer's time; Kafka answers that as the time of the append",
    )


def errors_have_no_aborted_transactions(cases: str, place: str = "*.aborted_transactions") -> Reason:
    return Reason(
        cases=cases,
        place=place,
        kafka=[],
        drave=ABSENT,
        why="with an error there is no list of aborted transactions, not even an empty one",
    )


def topics_without_partitions_have_none(cases: str, place: str) -> Reason:
    return Reason(
        cases=cases, place=place, why="a topic that is named without partitions is answered without partitions"
    )


def defaults_are_defaults(cases: str, place: str) -> Reason:
    return Reason(
        cases=cases,
        place=place,
        kafka=3,
        drave=5,
        why="Kafka writes this default down for the whole cluster when its folders are formatted",
    )
