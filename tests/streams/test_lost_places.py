"""Places that are another's already: nothing that was made of them may be committed any more."""

from __future__ import annotations

from math import inf

import pytest

from drave.streams import App


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_what_a_process_has_lost_is_not_committed_with_what_it_is_given_next(guarantee: str) -> None:
    app = App("lost", guarantee=guarantee)
    numbers = app.topic("numbers", int)
    numbers.map(lambda number: number + 1).to("more")
    with app.test() as t:
        t.publish(numbers, 1, 2)
        t.engine._commit_at = inf
        assert t.engine.turn(0.0) == 2
        assert t.cluster.committed == {}
        t.engine.lost(list(t.engine._held))
        t.cluster.rebalance()
        t.engine._commit_at = 0.0
        t.run()
        read = t.read("more")
    assert read == [2, 3] if guarantee == "exactly_once" else read[-2:] == [2, 3]
