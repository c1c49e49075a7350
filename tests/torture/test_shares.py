"""A share group whose members and broker are killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.brokers import Drave
from torture.shares import SETTINGS, run
from torture.shares_worker import verdict


def test_some_records_come_again_and_some_are_given_up() -> None:
    assert [verdict(1, count) for count in (1, 2)] == ["release", "accept"]
    assert verdict(2, 1) == "reject"
    assert {verdict(3, count) for count in range(1, 6)} == {"release"}
    assert {verdict(each, 1) for each in (0, 4, 5, 6, 7, 8, 9)} == {"accept"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kill_nine_of_members_and_broker_loses_no_job_and_gives_none_to_two(tmp_path: Path) -> None:
    broker = Drave(tmp_path / "broker", settings=SETTINGS)
    report = run(broker, tmp_path, kills=2, every_s=1.0, seed=3, java=False)
    assert report.violations == []
    assert report.kills == {"broker": 1, "member": 1}
    assert report.letters
