"""docs/streams.md is true: its files and commands work in their order, as somebody would type them."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drave.testing import Broker
from tests.pages import Folder, Page

PAGE = Page("streams.md")
TOPOLOGY, TEST, SERVE, RUN, SEND, LETTERS, WORKERS, TEST_JOIN = PAGE.commands


@contextmanager
def running(folder: Folder, block: str) -> Iterator[None]:
    """A command that runs until Ctrl-C, once it says that it does; at its end it must say that it has committed."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {block}"], cwd=folder.path, env=folder.environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        assert any("is running" in line for line in process.stderr)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert "everything that it did is committed" in said


def test_the_page_names_its_files_and_commands_in_the_order_in_which_they_are_tried():
    assert list(PAGE.files) == ["demand.py", "test_demand.py", "named.py", "test_named.py"]
    assert SERVE == "drave serve\n"
    assert WORKERS.startswith(RUN.strip())


def test_the_topology_is_the_one_that_the_page_shows(tmp_path):
    assert Folder(PAGE, tmp_path).run(TOPOLOGY) == PAGE.shown[0]


@pytest.mark.slow
def test_the_tests_on_the_page_pass(tmp_path):
    folder = Folder(PAGE, tmp_path)
    assert "3 passed" in folder.run(TEST)
    assert "1 passed" in folder.run(TEST_JOIN)


@pytest.mark.slow
@pytest.mark.parametrize("command", [RUN, WORKERS])
def test_the_app_counts_and_buries_as_the_page_says(tmp_path, command):
    with Broker() as broker:
        folder = Folder(PAGE, tmp_path, broker.bootstrap)
        patiently(folder.path / "demand.py")
        with running(folder, command):
            results = folder.run(SEND.replace("--max 3", "--max 4")).splitlines()
            assert "joe" in folder.run(LETTERS)
    found = [json.loads(line) for line in results if "riders" in line]
    first = min(each["minute"] for each in found)
    counted = sorted((each["zone"], each["minute"] - first, each["riders"]) for each in found)
    assert counted == [("city", 0, 1), ("city", 3, 1), ("soho", 0, 2), ("soho", 1, 1)]


def patiently(app: Path) -> None:
    """A second in which nobody writes ends Lea's minute too, perhaps before all is read, where the machine stands still
    for as long. So it takes five here, and her result is waited for."""
    text = app.read_text(encoding="utf-8")
    assert 'idle="1s"' in text
    app.write_text(text.replace('idle="1s"', 'idle="5s"'), encoding="utf-8")
