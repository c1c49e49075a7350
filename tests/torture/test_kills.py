"""kill -9 of a real broker under load from real clients: the short run; `make torture` is the long one.

A failing seed is run again with `SEED=… python -m pytest tests/torture`, or for longer with `python -m torture`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.brokers import Drave
from torture import kills


@pytest.mark.slow
def test_a_broker_that_is_killed_under_load_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """No record lost, doubled or out of order; no group goes back; no topic disappears."""
    seed = int(os.environ.get("SEED", "3"))
    report = kills.run(Drave(tmp_path), kills=int(os.environ.get("KILLS", "3")), seed=seed)
    assert report.violations == [], f"seed {seed}"
    assert report.records > 0
    assert report.commits > 0
