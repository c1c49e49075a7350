"""What is a change that has to be written down, and what is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.budget import ledger
from tests.budget.counting import Counts

COUNTS = Counts(1000, 5000, 400, 8, {"file.sync": 1, "transport.write": 1})


def differences(counts: Counts) -> list[str]:
    budgets = ledger.accept({}, {"produce": COUNTS})
    return [str(difference) for difference in ledger.compare("produce", budgets["produce"], counts)]


def test_what_was_accepted_is_what_is_expected() -> None:
    assert differences(COUNTS) == []


def test_one_instruction_more_is_a_change() -> None:
    (said,) = differences(replace(COUNTS, bytecodes=1001))
    assert said == "produce: bytecodes rose from 1,000 to 1,001 a request (+0.1%)"


def test_some_instructions_fewer_are_no_change_and_many_are() -> None:
    assert differences(replace(COUNTS, bytecodes=980)) == []
    (said,) = differences(replace(COUNTS, bytecodes=900))
    assert "fell from 1,000 to 900" in said


def test_the_size_of_an_object_on_another_platform_is_no_change() -> None:
    assert differences(replace(COUNTS, bytes_allocated=5090, bytes_kept=20)) == []
    assert len(differences(replace(COUNTS, bytes_allocated=5200, bytes_kept=40))) == 2


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ({"file.sync": 2, "transport.write": 1}, "calls of file.sync rose from 1 to 2"),
        ({"transport.write": 1}, "calls of file.sync fell from 1 to 0"),
        ({"file.sync": 1, "transport.write": 1, "disk.open": 1}, "calls of disk.open rose from 0 to 1"),
    ],
)
def test_a_call_more_or_less_is_a_change(calls: dict[str, float], said: str) -> None:
    (difference,) = differences(replace(COUNTS, calls=calls))
    assert said in difference


def test_accepting_keeps_what_other_versions_of_python_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    python = ledger.PYTHON
    budgets = ledger.accept({}, {"produce": COUNTS, "gone": COUNTS})
    monkeypatch.setattr(ledger, "PYTHON", "4.0")
    budgets = ledger.accept(budgets, {"produce": replace(COUNTS, bytecodes=900)})
    assert budgets.keys() == {"produce"}
    assert ledger.has_column(budgets["produce"])
    assert [budgets["produce"][version]["bytecodes"] for version in ("4.0", python)] == [900, 1000]


def test_the_file_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each version of each scenario, so that a change is seen for what it is."""
    monkeypatch.setattr(ledger, "FILE", tmp_path / "budgets.json")
    budgets = ledger.accept({}, {"produce": COUNTS, "fetch": COUNTS})
    ledger.save(budgets)
    assert ledger.load() == budgets
    assert len(ledger.FILE.read_text().splitlines()) == 2 * 4 + 2
