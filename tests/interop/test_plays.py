"""What each program is run on, what of its words is believed, and the page."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from bench.brokers import Drave
from conformance.building import Missing
from interop import __main__ as command
from interop import flink, page, smoke, transactions
from interop.page import Report
from interop.plays import PLAYS, Play
from interop.stage import Outcome, Stage
from interop.text import MINUTE_MS, STEP_MS, lines
from torture.kills import Stuck


def _stage(folder: Path, seed: int, kills: int = 7) -> Stage:
    return Stage(Drave(folder), folder, random.Random(seed), kills)


def test_the_text_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    text, again, other = (list(islice(lines(seed, 1_000), 50)) for seed in (1, 1, 2))
    assert text == again != other
    assert [line.time_ms for line in text[:3]] == [1_000, 1_000 + STEP_MS, 1_000 + 2 * STEP_MS]
    assert text[0].minute_ms == 0
    assert {line.minute_ms for line in islice(lines(1, 0), 1_200)} == {0, MINUTE_MS}


def test_blows_fall_equally_often_in_an_order_that_the_seed_decides(tmp_path: Path) -> None:
    fallen = [list(_stage(tmp_path, seed).blows(("broker", "process", "both"))) for seed in (1, 1, 2)]
    assert fallen[0] == fallen[1] != fallen[2]
    assert Counter(fallen[0]) == {"broker": 3, "process": 2, "both": 2}


def test_what_befell_a_run_is_a_fact(tmp_path: Path) -> None:
    stage = _stage(tmp_path, 1, kills=2)
    assert stage.deaths() == "nobody was killed"
    list(stage.blows(("broker killed", "process killed")))
    assert stage.deaths() == "2 blows (1 × broker killed, 1 × process killed)"


WELL = "recordGenerated=20000\nALL-RECORDS-DELIVERED\nverifying topic 'min'\n\nSUCCESS\n"


def test_the_smoke_tests_own_judgement_is_believed() -> None:
    assert smoke.judged(WELL, 0) == []


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (WELL.replace("SUCCESS", "FAILURE"), 0),
        (WELL.replace("ALL-RECORDS-DELIVERED", ""), 0),
        (WELL + "min fail: key=3 actual=1 expected=0\n", 0),
        (WELL, 1),
    ],
    ids=["failure", "not delivered", "a value", "exit code"],
)
def test_anything_else_that_it_says_is_a_violation(said: str, code: int) -> None:
    assert len(smoke.judged(said, code)) == 1


def test_the_table_of_the_transactions_tool_is_read_by_its_columns() -> None:
    printed = "12 [main] WARN something\nTransactionalId\tCoordinator\tProducerId\nfirst\t1\t7\nsecond\t1\t8\n"
    assert transactions.rows(printed) == [
        {"TransactionalId": "first", "Coordinator": "1", "ProducerId": "7"},
        {"TransactionalId": "second", "Coordinator": "1", "ProducerId": "8"},
    ]
    assert transactions.rows("") == []


def test_the_last_checkpoint_is_the_one_whose_metadata_were_written_last(tmp_path: Path) -> None:
    """An earlier life may have counted further than a later one, and a checkpoint without metadata is not complete."""
    assert flink.latest(tmp_path) is None
    for seconds, name in enumerate(("first/chk-9", "second/chk-1", "second/chk-2")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "_metadata").touch()
        os.utime(tmp_path / name / "_metadata", (seconds, seconds))
    (tmp_path / "second/chk-3").mkdir()
    assert flink.latest(tmp_path) == tmp_path / "second/chk-2"


def test_plays_have_names_of_their_own() -> None:
    assert len({play.name for play in PLAYS}) == len(PLAYS)


def _raising(error: Exception) -> Play:
    def run(_: Stage) -> Outcome:
        raise error

    return Play("one", "One", "does nothing", run, kills=1)


class _Idle(Drave):
    """No broker is needed by a program that does not run."""

    def start(self, *, timeout_s: float = 60.0) -> float:
        return 0.0


def test_a_toolchain_that_is_not_there_is_nobodys_fault_and_a_run_that_is_stuck_is_a_violation(tmp_path: Path) -> None:
    missing = command.play_it(_raising(Missing("no java here")), _Idle, tmp_path, 1, 1)
    stuck = command.play_it(_raising(Stuck("nothing moves")), _Idle, tmp_path, 1, 1)
    assert (missing.failed, missing.sign, page.line(missing)) == (False, "–", "– One: no java here")
    assert (stuck.failed, stuck.sign) == (True, "✗")
    assert page.line(stuck).endswith("1 violations:\n    Stuck: nothing moves")


def _named(name: str) -> Play:
    return replace(_raising(Stuck("nothing")), name=name, title=name)


def test_the_page_has_a_row_for_each_with_what_was_seen_last(tmp_path: Path) -> None:
    """One may be run by itself: of the others stays what was seen before, also of one that cannot be run now."""
    first, second, third = plays = [_named(name) for name in ("first", "second", "third")]
    kept = tmp_path / "kept.json"
    well, wrong = Outcome("4.3.1", ["12 blows", "9 words"]), Outcome("4.3.1", ["1 blow"], ["a word is lost", "more"])
    page.keep(kept, [Report(first, wrong), Report(second, wrong)])
    seen = page.keep(kept, [Report(first, well), Report(second, None, "no java here"), Report(third, None, "no java")])
    rows = [row for row in page.full(plays, seen).splitlines() if " does nothing " in row]
    assert rows == [
        "| first | 4.3.1 | does nothing | 12 blows; 9 words | ✓ |",
        "| second | 4.3.1 | does nothing | 1 blow; a word is lost | ✗ |",
        "| third | – | does nothing | not run yet | – |",
    ]


def test_the_page_is_what_was_kept() -> None:
    """docs/interop.md and docs/interop.json are of the same runs."""
    seen = page.kept(command.KEPT)
    assert command.PAGE.read_text() == page.full(PLAYS, seen)
