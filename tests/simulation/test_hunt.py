"""The page that a hunt writes, and goes on with."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from simulation import __main__, faults, hunt
from simulation.hunt import Catch

FIRST, SECOND, THIRD = list(faults.FAULTS)[:3]
CATCHES = [Catch(FIRST, True, 3, "kept, stuck"), Catch(SECOND, False, 100), Catch(THIRD, True, 40, "once")]


def test_a_page_says_what_was_found_and_can_be_read_again() -> None:
    assert hunt.read(hunt.page(reversed(CATCHES))) == CATCHES


def test_a_page_counts_what_was_found() -> None:
    assert "Of 3 faults, 2 were found, 1 of them within 16 seeds; the others not in 100." in hunt.page(CATCHES)


def test_a_page_names_the_faults_that_nobody_has_hunted_for() -> None:
    _, _, others = hunt.page(CATCHES).partition("Not hunted for since")
    assert all((f"- {name}\n" in others) == (name not in (FIRST, SECOND, THIRD)) for name in faults.FAULTS)


def test_a_fault_that_is_no_more_is_on_no_page() -> None:
    text = hunt.page(CATCHES).replace(SECOND, "what was mended long ago")
    assert [each.fault for each in hunt.read(text)] == [FIRST, THIRD]


def test_what_is_to_be_said_of_a_fault_stands_beside_it_and_on_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(faults.FAULTS, FIRST, faults.FAULTS[FIRST]._replace(note="It takes a crash."))
    text = hunt.page(CATCHES)
    assert f"- **{FIRST}**: It takes a crash." in text
    assert hunt.read(text) == CATCHES


def test_a_hunt_goes_on_with_what_its_page_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(hunt.page(CATCHES))
    hunted: list[str] = []

    def found(names: list[str], **_: object) -> list[Catch]:
        hunted.extend(names)
        return [Catch(name, True, 1, "kept") for name in names]

    monkeypatch.setattr(hunt, "hunts", found)
    done = CliRunner().invoke(__main__.main, ["--hunt", str(page), "--missing", "--seeds", "200"])
    assert done.exit_code == 0, done.output
    assert hunted == [name for name in faults.FAULTS if name not in (FIRST, THIRD)]
    known = hunt.read(page.read_text())
    assert known[0] == CATCHES[0]
    assert len(known) == len(faults.FAULTS)
