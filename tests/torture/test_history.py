"""The judge itself: it finds each kind of wrong, and nothing where all is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from torture.history import History, Mark, Place, Stand

Records = dict[int, list[tuple[int, Mark]]]


def _a_run() -> tuple[History, Records]:
    """Two producers wrote three records each to two partitions, and one group read and committed them."""
    history, records = History(), Records({0: [], 1: []})
    for number in range(3):
        for producer in range(2):
            mark = history.send(producer)
            partition = number % 2
            place = Place(partition, len(records[partition]))
            records[partition].append((place.offset, mark))
            history.acknowledge(mark, place)
            history.see("zones", place)
    history.commit(Stand("zones", 0), 4)
    history.commit(Stand("zones", 1), 2)
    history.create("made")
    return history, records


ENDS: Mapping[Stand, int] = {Stand("zones", 0): 4, Stand("zones", 1): 2}


def test_a_run_in_which_all_went_well_has_no_violations() -> None:
    history, records = _a_run()
    assert history.violations(records, ends=ENDS, topics=["made", "torture"]) == []


def _lose_the_last(history: History, records: Records) -> None:
    records[0].pop()


def _double_one(history: History, records: Records) -> None:
    records[1].append((2, records[1][0][1]))


def _swap_two(history: History, records: Records) -> None:
    (first, a), (second, b) = records[0][0], records[0][2]
    records[0][0], records[0][2] = (first, b), (second, a)


def _leave_a_gap(history: History, records: Records) -> None:
    records[0][3] = (4, records[0][3][1])


def _invent_one(history: History, records: Records) -> None:
    records[1].append((2, Mark(7, 0)))


def _resume_too_early(history: History, records: Records) -> None:
    history.resume(Stand("zones", 0), 1, history.standing(Stand("zones", 0)))


def _skip_one(history: History, records: Records) -> None:
    history.seen["zones"].discard(Place(0, 1))


def _see_a_ghost(history: History, records: Records) -> None:
    history.see("zones", Place(0, 99))


def _lose_a_commit(history: History, records: Records) -> None:
    history.commit(Stand("zones", 1), 3)


def _lose_a_topic(history: History, records: Records) -> None:
    history.create("made later")


def _refuse_one(history: History, records: Records) -> None:
    history.refuse(history.send(0), "out of order")


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (_lose_the_last, "was acknowledged at Place(partition=0, offset=3) and is gone"),
        (_double_one, "is there twice"),
        (_swap_two, "stands after number 2 of the same producer"),
        (_leave_a_gap, "offset 4 follows 2"),
        (_invent_one, "which nobody sent"),
        (_resume_too_early, "resumed at 1, though the commit of 4 was acknowledged"),
        (_skip_one, "never saw 1 records"),
        (_see_a_ghost, "saw 1 records that are not there"),
        (_lose_a_commit, "stands at 2, though the commit of 3 was acknowledged"),
        (_lose_a_topic, "topic made later was created and is gone"),
        (_refuse_one, "was refused: out of order"),
    ],
    ids=lambda each: each.__name__.strip("_").replace("_", " ") if callable(each) else "",
)
def test_each_kind_of_wrong_is_found(damage: Callable[[History, Records], None], finding: str) -> None:
    history, records = _a_run()
    damage(history, records)
    found = history.violations(records, ends=ENDS, topics=["made", "torture"])
    assert any(finding in violation for violation in found), found
