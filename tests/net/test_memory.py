"""What all sessions together may hold."""

from drave.net.memory import ReceiveMemory


def test_takes_up_to_the_bound_are_given_at_once():
    memory = ReceiveMemory(100)
    assert memory.take("a", 60, never)
    assert memory.take("b", 40, never)
    assert memory.used == 100


def test_one_session_may_pass_the_bound_so_that_two_half_read_frames_never_wait_for_each_other():
    memory = ReceiveMemory(100)
    assert memory.take("a", 60, never)
    assert memory.take("b", 60, never), "b is the one that may pass it"
    woken: list[str] = []
    assert not memory.take("a", 60, lambda: woken.append("a"))
    assert memory.take("b", 60, never), "and b may go on until it is done"
    memory.give("b", 120)
    assert woken == ["a"]


def test_a_session_that_goes_while_it_waits_is_not_woken_and_the_next_one_is():
    memory = ReceiveMemory(100)
    memory.take("big", 200, never)
    woken: list[str] = []
    assert not memory.take("b", 10, lambda: woken.append("b"))
    assert not memory.take("c", 10, lambda: woken.append("c"))
    memory.leave("b")
    memory.give("big", 200)
    assert woken == ["c"]


def test_the_session_that_may_pass_the_bound_can_die_without_locking_the_others_out():
    memory = ReceiveMemory(100)
    memory.take("big", 200, never)
    woken: list[str] = []
    assert not memory.take("b", 10, lambda: woken.append("b"))
    memory.give("big", 200)
    memory.leave("big")
    assert woken == ["b"]
    assert memory.take("b", 10, never)


def test_as_many_are_woken_as_can_be_given_what_they_want():
    """One alone would leave the others waiting for memory that is free."""
    memory = ReceiveMemory(100)
    memory.take("a", 100, never)
    memory.take("big", 200, never)
    woken: list[str] = []
    for name, size in (("b", 30), ("c", 30), ("d", 60)):
        assert not memory.take(name, size, lambda name=name: woken.append(name))
    memory.give("a", 100)
    assert woken == [], "big still holds all there is"
    memory.give("big", 200)
    assert woken == ["b", "c", "d"], "the last of them may pass the bound"


def test_a_session_that_was_woken_and_goes_instead_wakes_the_next_one():
    memory = ReceiveMemory(100)
    memory.take("big", 200, never)
    woken: list[str] = []
    for name in ("b", "c"):
        assert not memory.take(name, 150, lambda name=name: woken.append(name))
    memory.give("big", 200)
    assert woken == ["b"]
    memory.leave("b")
    assert woken == ["b", "c"]


def test_memory_is_short_while_somebody_waits_or_has_passed_the_bound():
    memory = ReceiveMemory(100)
    memory.take("a", 100, never)
    assert not memory.is_short
    memory.take("b", 1, never)
    assert memory.is_short
    memory.give("b", 1)
    assert not memory.is_short


def never() -> None:
    raise AssertionError("nobody waits")
