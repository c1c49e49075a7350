"""The sticky task assignor's laws, over groups of all shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from drave.broker.coordinator.streams.assignor import Candidate, assign
from drave.broker.coordinator.streams.configuring import ConfiguredSubtopology, InternalTopic
from drave.broker.coordinator.streams.tasks import NOTHING, TaskId, Tasks
from tests.broker.coordinator.streams.virtual_streams import tasks


def shape(subtopology_id: str, count: int, *, stateful: bool = False) -> ConfiguredSubtopology:
    changelogs = (InternalTopic(f"changelog of {subtopology_id}", count, 0, {}),) if stateful else ()
    return ConfiguredSubtopology(subtopology_id, count, ("source",), (), (), changelogs)


def members(*, processes: Mapping[str, str], targets: Mapping[str, Tasks] | None = None) -> dict[str, Candidate]:
    targets = targets or {}
    return {name: Candidate(process, targets.get(name, NOTHING)) for name, process in processes.items()}


shapes = st.lists(st.tuples(st.integers(1, 7), st.booleans()), min_size=1, max_size=3).map(
    lambda drawn: [shape(str(index), count, stateful=stateful) for index, (count, stateful) in enumerate(drawn)]
)
groups = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("PQR"), min_size=1)


def actives(assignment: Mapping[str, Tasks]) -> Counter[TaskId]:
    return Counter(task for target in assignment.values() for task in target.active)


def spread(counts: list[int]) -> int:
    return max(counts) - min(counts)


@given(shapes, groups, st.integers(0, 2))
def test_every_task_is_active_once(subtopologies, processes, replicas) -> None:
    assignment = assign(members(processes=processes), subtopologies, standby_replicas=replicas)
    wanted = {TaskId(each.subtopology_id, index) for each in subtopologies for index in range(each.tasks)}
    assert actives(assignment) == Counter(wanted)
    assert assignment.keys() == processes.keys()


@given(shapes, groups)
def test_members_who_had_nothing_differ_by_one_active_task_at_most(subtopologies, processes) -> None:
    assignment = assign(members(processes=processes), subtopologies, standby_replicas=0)
    assert spread([len(target.active) for target in assignment.values()]) <= 1


@given(shapes, groups, st.integers(0, 2))
def test_no_process_has_a_task_twice_in_whatever_role(subtopologies, processes, replicas) -> None:
    assignment = assign(members(processes=processes), subtopologies, standby_replicas=replicas)
    held = Counter((processes[name], task) for name, target in assignment.items() for task in target.all)
    assert set(held.values()) <= {1}
    assert all(target.active.isdisjoint(target.standby) for target in assignment.values())


@given(shapes, groups, st.integers(1, 2))
def test_stateful_tasks_have_as_many_standbys_as_there_are_other_processes_for(subtopologies, processes, replicas):
    assignment = assign(members(processes=processes), subtopologies, standby_replicas=replicas)
    standbys = Counter(task for target in assignment.values() for task in target.standby)
    possible = min(replicas, len(set(processes.values())) - 1)
    wanted = {
        TaskId(each.subtopology_id, index): possible
        for each in subtopologies
        if each.is_stateful and possible
        for index in range(each.tasks)
    }
    assert standbys == wanted


@given(shapes, groups, st.integers(0, 2))
def test_nothing_moves_when_nothing_has_changed(subtopologies, processes, replicas) -> None:
    before = assign(members(processes=processes), subtopologies, standby_replicas=replicas)
    after = assign(members(processes=processes, targets=before), subtopologies, standby_replicas=replicas)
    assert {name: target.active for name, target in after.items()} == {
        name: target.active for name, target in before.items()
    }


@given(shapes, groups, st.data())
def test_when_a_member_goes_the_others_keep_what_they_had(subtopologies, processes, data) -> None:
    before = assign(members(processes=processes), subtopologies, standby_replicas=0)
    gone = data.draw(st.sampled_from(sorted(processes)))
    left = {name: process for name, process in processes.items() if name != gone}
    after = assign(members(processes=left, targets=before), subtopologies, standby_replicas=0)
    assert all(before[name].active <= target.active for name, target in after.items())


@given(shapes, groups)
def test_when_a_member_comes_nothing_moves_but_to_it(subtopologies, processes) -> None:
    before = assign(members(processes=processes), subtopologies, standby_replicas=0)
    after = assign(members(processes={**processes, "z": "Z"}, targets=before), subtopologies, standby_replicas=0)
    assert all(after[name].active <= target.active for name, target in before.items())
    assert spread([len(target.active) for target in after.values()]) <= 1


@given(shapes, groups, st.integers(0, 2), st.randoms(use_true_random=False))
def test_the_order_in_which_members_are_named_does_not_matter(subtopologies, processes, replicas, chance) -> None:
    shuffled = list(processes.items())
    chance.shuffle(shuffled)
    first = assign(members(processes=processes), subtopologies, standby_replicas=replicas)
    assert assign(members(processes=dict(shuffled)), subtopologies, standby_replicas=replicas) == first


def test_who_has_a_standby_of_a_task_is_the_first_to_run_it() -> None:
    processes = {"a": "P", "b": "Q"}
    targets = {"b": Tasks(tasks(s0=[1]), tasks(s0=[0]))}
    after = assign(members(processes=processes, targets=targets), [shape("0", 2, stateful=True)], standby_replicas=1)
    assert after["b"].active == tasks(s0=[1])  # it has its share; the standby runs where there is room
    alone = assign(members(processes={"b": "Q"}, targets=targets), [shape("0", 2, stateful=True)], standby_replicas=1)
    assert alone["b"] == Tasks(tasks(s0=[0, 1]))


def test_a_process_with_more_threads_has_more_of_the_tasks() -> None:
    assignment = assign(
        members(processes={"a": "P", "b": "Q", "c": "Q", "d": "Q"}), [shape("0", 8)], standby_replicas=0
    )
    assert [len(assignment[name].active) for name in "abcd"] == [2, 2, 2, 2]


def test_nobody_is_given_nothing() -> None:
    assert assign({}, [shape("0", 4)], standby_replicas=1) == {}
