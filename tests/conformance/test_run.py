"""Drivers that do not do as they should: each scenario gets its outcome all the same."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance import run
from conformance.building import Broken, Missing
from conformance.clients import Client, Command
from conformance.contract import Outcome, Report
from drave.testing import Broker

VERSION = 'print(\'{"version": "1"}\', flush=True)\n'
FIRST = 'print(\'{"scenario": "topics", "ok": true}\', flush=True)\n'


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Broker() as broker:
        yield broker.port


@pytest.fixture
def report(port: int, tmp_path: Path) -> Callable[[str], Report]:
    """What becomes of a driver that is this program."""

    def of(program: str) -> Report:
        def ready() -> Command:
            return [sys.executable, "-c", program]

        return run.run(Client("one", ready), port, "n", ["topics", "groups"], tmp_path, lambda _: None)

    return of


def test_a_driver_that_does_as_it_should_is_believed(report: Callable[[str], Report]) -> None:
    last = 'print(\'{"scenario": "groups", "ok": null, "detail": "none"}\')'
    outcomes = (Outcome("topics", True), Outcome("groups", None, "none"))
    assert report(VERSION + FIRST + last) == Report("one", "1", outcomes)


def test_what_a_driver_that_dies_has_not_done_went_wrong(report: Callable[[str], Report]) -> None:
    its = report(VERSION + FIRST + "raise SystemExit('no memory')")
    assert its.outcomes == (Outcome("topics", True), Outcome("groups", False, "the driver ended first: no memory"))
    assert its.failed


def test_a_driver_that_says_what_none_may_is_not_heard_further(report: Callable[[str], Report]) -> None:
    its = report(VERSION + 'print(\'{"scenario": "topics", "ok": "perhaps"}\', flush=True)\n' + FIRST)
    assert [outcome.ok for outcome in its.outcomes] == [False, False]
    assert "is no outcome" in its.outcomes[0].detail


def test_a_driver_that_falls_silent_is_ended(report: Callable[[str], Report], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SILENCE_S", 0.5)
    its = report("import threading\nthreading.Event().wait()")
    assert [outcome.detail for outcome in its.outcomes] == ["the driver ended first: it said nothing"] * 2


@pytest.mark.parametrize(("error", "failed"), [(Missing("no go here"), False), (Broken("go failed"), True)], ids=repr)
def test_a_driver_that_cannot_be_made_ready_is_skipped_with_the_reason(
    port: int, tmp_path: Path, error: Exception, failed: bool
) -> None:
    """A toolchain that is not there is nobody's fault; a build that fails is."""

    def ready() -> Command:
        raise error

    its = run.run(Client("one", ready), port, "n", ["topics"], tmp_path, lambda _: None)
    assert (its.skipped, its.outcomes, its.failed) == (str(error), (), failed)
