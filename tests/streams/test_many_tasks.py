"""Tasks by the hundred: what is asked of the cluster and the disk does not grow with those that have nothing to do."""

from __future__ import annotations

from typing import Any

import pytest

from drave.streams import App

PARTITIONS = 50


def passing() -> App:
    app = App("many")
    app.topic("numbers", int).map(lambda number: number + 1, name="more").to("out")
    return app


def test_what_is_committed_is_asked_once_for_all_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    t = passing().test(partitions=PARTITIONS)
    t.publish("numbers", *range(PARTITIONS))
    asked: list[str] = []
    called = t._called

    def noted(call: str) -> None:
        asked.append(call)
        called(call)

    monkeypatch.setattr(t, "_called", noted)
    with t:
        assert len(t.engine.tasks) == PARTITIONS
        assert sorted(t.read("out")) == list(range(1, PARTITIONS + 1))
    assert asked.count("committed") == 1


def test_a_task_without_state_makes_no_folder_for_it() -> None:
    with passing().test(partitions=PARTITIONS) as t:
        states: Any = t.engine._states
        t.send("numbers", 1, 2)
        assert t.read("out") == [2, 3]
        assert states.tasks() == []
