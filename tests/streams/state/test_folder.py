"""A worker's folder belongs to one process, and keeps the worker's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from drave.streams.errors import StateInUse, StreamsError
from drave.streams.state.folder import StateFolder


def test_a_worker_keeps_its_name_from_one_run_to_the_next(tmp_path: Path) -> None:
    with StateFolder(tmp_path / "state") as first:
        pass
    with StateFolder(tmp_path / "state") as second:
        assert second.worker == first.worker
    with StateFolder(tmp_path / "other") as other:
        assert other.worker != first.worker


def test_a_folder_has_one_process_at_a_time_and_says_which(tmp_path: Path) -> None:
    with StateFolder(tmp_path), pytest.raises(StateInUse, match=r"is in use by process \d+; stop that one, or give"):
        StateFolder(tmp_path)
    StateFolder(tmp_path).close()


def test_a_torn_name_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "worker").write_text("2f1c")
    with StateFolder(tmp_path) as folder:
        assert len(folder.worker) == 36


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StreamsError, match=r"the state folder .*file/state cannot be used: Not a directory"):
        StateFolder(tmp_path / "file" / "state")
