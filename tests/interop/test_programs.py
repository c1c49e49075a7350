"""Processes that die and come back, and what is known of the jars."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from conformance.building import Broken, Missing
from interop import programs
from interop.programs import Died, Library, Program

FOREVER = "import threading; print('here', flush=True); threading.Event().wait()"


def _program(folder: Path, text: str) -> Program:
    return Program("one", [sys.executable, "-c", text], folder)


def test_a_program_is_killed_and_started_again_and_says_all_in_one_file(tmp_path: Path) -> None:
    program = _program(tmp_path, "print('one life')")
    for _ in range(2):
        program.start()
        assert program.wait(60) == 0
    assert program.ended
    assert program.said().split("\n") == ["one life", "one life", ""]


def test_a_program_that_is_killed_has_not_ended_by_itself(tmp_path: Path) -> None:
    program = _program(tmp_path, FOREVER)
    program.start()
    program.freeze()
    program.kill()
    assert not program.ended
    program.stop()


def test_a_program_that_is_frozen_and_asked_to_stop_stops_when_it_wakes(tmp_path: Path) -> None:
    program = _program(tmp_path, FOREVER)
    program.start()
    program.freeze()
    program.thaw()
    program.stop()
    assert not program.ended


def test_a_program_that_goes_on_for_too_long_says_what_it_said_last(tmp_path: Path) -> None:
    program = _program(tmp_path, FOREVER)
    program.start()
    with pytest.raises(Died, match=r"one has not ended within 0 s; "):
        program.wait(0)
    program.kill()


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """A folder of jars that need not be fetched."""
    jars = tmp_path / "kafka" / "lib"
    jars.mkdir(parents=True)
    for name in ("kafka-streams-4.3.1.jar", "kafka-streams-4.3.1-test.jar", "flink-connector-kafka-5.0.0-2.2.jar"):
        (jars / name).touch()
    monkeypatch.setattr(programs, "CACHE", tmp_path)
    monkeypatch.setattr(programs.building, "java", lambda source, target: f"{source.name}:{target.name}")
    return Library("kafka")


def test_a_version_is_read_off_the_jar_and_not_off_its_neighbours(library: Library) -> None:
    assert library.version("kafka-streams") == "4.3.1"
    assert library.version("flink-connector-kafka") == "5.0.0-2.2"
    with pytest.raises(Broken, match="holds no kafka"):
        library.version("kafka")


def test_a_class_is_run_with_the_jars_and_our_classes(library: Library) -> None:
    assert library.java("interop.Words", "here", Path("there"))[-5:] == [
        "-cp",
        "kafka:kafka",
        "interop.Words",
        "here",
        "there",
    ]


def test_without_java_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(Missing, match=r"`java` is not on the PATH \(Java 17"):
        Library("kafka")
