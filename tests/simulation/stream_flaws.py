"""Stories of streams groups with one flaw each, under the law that the flaw breaks; and some that are lawful."""

from __future__ import annotations

from simulation.history import GatheredMember
from tests.simulation.chronicle import COPIES_IT, RUNS, Chronicle
from tests.simulation.flaws import breaks


@breaks("a process has a task once")
def a_copy_is_kept_beside_its_task(tale: Chronicle) -> None:
    tale.run(tale.thread("a", "P"))
    tale.run(tale.thread("b", "P"), is_active=False)


@breaks("a process has a task once")
def a_task_is_given_to_the_process_that_has_a_copy(tale: Chronicle) -> None:
    tale.run(tale.thread("a", "P"), is_active=False)
    tale.run(tale.thread("b", "P"))


@breaks("a process has a task once")
def a_task_changes_its_role_before_it_was_given_up(tale: Chronicle) -> None:
    thread = tale.thread()
    before = tale.run(thread)
    tale.run(thread, is_active=False)
    before.until = tale.history.now()


@breaks("who was missed commits nothing")
def a_member_commits_that_was_told_that_it_is_none(tale: Chronicle) -> None:
    thread = tale.thread("m")
    tale.reach(thread, 3)
    thread.missed = tale.history.now()
    tale.commit(5, group="app", generation=3, member="m")


@breaks("epochs never go back")
def a_members_epoch_falls(tale: Chronicle) -> None:
    thread = tale.thread()
    tale.reach(thread, 3)
    tale.reach(thread, 2)


@breaks("epochs never go back")
def a_group_begins_anew_after_a_restart(tale: Chronicle) -> None:
    tale.reach(tale.thread("a"), 9)
    tale.reach(tale.thread("b"), 2, joins=True)


@breaks("older topologies are told apart")
def nothing_is_said_of_an_older_topology(tale: Chronicle) -> None:
    tale.reach(tale.thread("a"), 2, topology_epoch=1)
    tale.reach(tale.thread("b"), 3, topology_epoch=0)


@breaks("streams groups come together")
def a_streams_group_never_comes_together(tale: Chronicle) -> None:
    tale.gather({"a": RUNS}, state="Reconciling")


@breaks("streams groups come together")
def a_member_stays_behind(tale: Chronicle) -> None:
    tale.gather({"a": RUNS}, epochs={7, 8})


@breaks("streams groups come together")
def tools_are_shown_something_else(tale: Chronicle) -> None:
    tale.gather({"a": RUNS}, shown={"a": COPIES_IT})


@breaks("streams groups come together")
def a_task_is_run_by_nobody(tale: Chronicle) -> None:
    tale.gather({"b": COPIES_IT}, copies=1)


@breaks("streams groups come together")
def a_task_is_run_twice(tale: Chronicle) -> None:
    tale.gather({"a": RUNS, "b": RUNS._replace(process="Q")})


@breaks("streams groups come together")
def a_copy_is_missing(tale: Chronicle) -> None:
    tale.gather({"a": RUNS, "b": GatheredMember("Q", frozenset(), frozenset())}, copies=1)


@breaks("streams groups come together")
def a_copy_is_in_the_process_of_its_task(tale: Chronicle) -> None:
    other = GatheredMember("R", frozenset(), frozenset())
    tale.gather({"a": RUNS, "b": COPIES_IT._replace(process="P"), "c": other}, copies=1)


# -- what looks strange, and is lawful


def a_task_goes_to_a_process_whose_copy_was_given_up(tale: Chronicle) -> None:
    tale.run(tale.thread("a"), is_active=False).until = tale.history.now()
    tale.run(tale.thread("b"))


def a_task_goes_to_the_process_of_a_member_whose_session_is_over(tale: Chronicle) -> None:
    tale.run(tale.thread("a"), is_active=False)
    tale.pass_ms(6_000)
    tale.run(tale.thread("b"))


def a_lost_heartbeat_may_have_said_that_a_task_was_given_up(tale: Chronicle) -> None:
    first = tale.thread("a")
    first.lost.append(frozenset())
    tale.run(first, is_active=False)
    tale.run(tale.thread("b"))


def who_comes_back_commits_of_its_new_epoch(tale: Chronicle) -> None:
    thread = tale.thread("m")
    tale.reach(thread, 3)
    thread.missed = tale.history.now()
    tale.reach(tale.thread("m"), 5, joins=True)
    tale.commit(5, group="app", generation=5, member="m")


def who_comes_back_may_be_at_the_epoch_of_before(tale: Chronicle) -> None:
    """The group waits with its next assignment, and who joins is at the epoch of the last one."""
    thread = tale.thread("m")
    tale.reach(thread, 3)
    thread.missed = tale.history.now()
    tale.reach(tale.thread("m"), 3, joins=True)
    tale.commit(5, group="app", generation=3, member="m")


def who_comes_back_the_same_may_commit_where_another_one_reads(tale: Chronicle) -> None:
    tale.hold("m", until_now=True)
    tale.hold("b")
    tale.reach(tale.thread("m", group="g"), 2, joins=True)
    tale.deliver(0, 5)
    tale.commit(5, generation=2, member="m")


def a_group_that_was_deleted_begins_anew(tale: Chronicle) -> None:
    tale.reach(tale.thread("a"), 9, topology_epoch=1)
    tale.delete_group("app")
    tale.reach(tale.thread("b"), 2, joins=True)


def a_member_may_be_behind_the_others(tale: Chronicle) -> None:
    first = tale.thread("a")
    tale.reach(first, 3)
    tale.reach(tale.thread("b"), 4)
    tale.reach(first, 3)


def an_older_topology_is_told_apart(tale: Chronicle) -> None:
    tale.reach(tale.thread("a"), 2, topology_epoch=1)
    tale.reach(tale.thread("b"), 3, topology_epoch=0, is_stale=True)


def as_many_copies_are_kept_as_there_are_other_processes(tale: Chronicle) -> None:
    tale.gather({"a": RUNS, "b": COPIES_IT}, copies=2)


LAWFUL = (
    a_task_goes_to_a_process_whose_copy_was_given_up,
    a_task_goes_to_the_process_of_a_member_whose_session_is_over,
    a_lost_heartbeat_may_have_said_that_a_task_was_given_up,
    who_comes_back_commits_of_its_new_epoch,
    who_comes_back_may_be_at_the_epoch_of_before,
    who_comes_back_the_same_may_commit_where_another_one_reads,
    a_group_that_was_deleted_begins_anew,
    a_member_may_be_behind_the_others,
    an_older_topology_is_told_apart,
    as_many_copies_are_kept_as_there_are_other_processes,
)
