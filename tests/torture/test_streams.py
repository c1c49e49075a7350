"""A stream app whose processes and broker are killed; and a judge that would have seen it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.brokers import Drave
from torture.streams import LANES, judge, run

SENT = 3 * LANES


def outcome() -> tuple[Counter[int], dict[str, list[int]]]:
    return Counter(range(SENT)), {f"lane{lane}": [1, 2, 3] for lane in range(LANES)}


def test_a_right_outcome_is_right() -> None:
    echoed, counts = outcome()
    assert judge(SENT, echoed, counts, exactly_once=True) == []
    assert judge(SENT, echoed, counts, exactly_once=False) == []


def test_what_is_lost_is_lost_at_both_guarantees() -> None:
    echoed, counts = outcome()
    echoed[7] = 0
    counts["lane3"] = [1, 2]
    for exactly_once in (True, False):
        found = judge(SENT, echoed, counts, exactly_once=exactly_once)
        assert found[0] == "event 7 was lost"
        assert found[1].startswith("lane3 has counted ")
        assert len(found) == 2


def test_what_is_doubled_is_wrong_exactly_once_only() -> None:
    echoed, counts = outcome()
    echoed[7] = 2
    counts["lane3"] = [1, 2, 2, 3]
    assert judge(SENT, echoed, counts, exactly_once=False) == []
    assert judge(SENT, echoed, counts, exactly_once=True) == [
        "lane3 has counted [1, 2, 2, 3] around its 3th of 3",
        "event 7 was echoed 2 times",
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kill_nine_of_workers_and_broker_loses_and_doubles_nothing(tmp_path: Path) -> None:
    report = run(Drave(tmp_path / "broker"), tmp_path, guarantee="exactly_once", standby=1, kills=3, seed=6)
    assert report.violations == []
    assert report.kills.total() == 3
