"""What `python -m bench.scale` measures is done in full, and noticed where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench import scale
from bench.wire import Wrong
from drave.testing import Broker


class Here:
    """A broker of this process, which goes on where another would be stopped and started."""

    def __init__(self, broker: Broker) -> None:
        self.port = broker.port
        self.bootstrap = broker.bootstrap
        self.lives = 1

    @staticmethod
    def resident_bytes() -> int:
        return 40_000_000

    def stop(self, *, timeout_s: float) -> None:
        self.lives += 1

    def start(self) -> float:
        return 0.0


@pytest.fixture(scope="module")
def here() -> Iterator[Any]:
    with Broker(auto_create_topics=False) as running:
        yield Here(running)


def test_partitions_are_made_and_written_to_again_and_again(here: Any) -> None:
    table = scale.Table()
    lives = here.lives
    scale.partitions(table, here, 30)
    assert [step.what.partition(": ")[2] for step in table.steps][:3] == [
        "made",
        "first batch in each",
        "one more in each, a thousand a request",
    ]
    assert here.lives == lives + 2
    assert all(step.memory_mb == 40 for step in table.steps)


@pytest.mark.parametrize("spread", [1, 3])
def test_each_producer_goes_on_where_it_was(here: Any, spread: int) -> None:
    """Or its third batch would be out of order."""
    scale.producers(scale.Table(), here, 300, spread)


def test_a_partition_that_takes_nothing_is_noticed(here: Any) -> None:
    with pytest.raises(Wrong):
        scale._write_to_each(here.port, "nowhere", 3)


def test_a_figure_is_waited_for_until_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "STILL_S", 0.0)
    monkeypatch.setattr(scale, "POLL_S", 0.0)
    figures = iter([9, 9, 5, 3, 3])
    assert scale._until_still(lambda: next(figures), below=9) in (5, 3)


def test_a_figure_that_never_falls_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "PATIENCE_S", 0.0)
    monkeypatch.setattr(scale, "POLL_S", 0.0)
    with pytest.raises(Wrong, match="still 9"):
        scale._until_still(lambda: 9, below=9)
