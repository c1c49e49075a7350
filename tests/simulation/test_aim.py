"""Where a crash is aimed: at the moment in which a client asks, or is told."""

from __future__ import annotations

import random
from collections.abc import Callable

from drave.wire.api import ApiKey
from simulation import aim
from simulation.aim import Aim


class Wires:
    """A network's ends, without the network."""

    on_request: Callable[[int], None]
    on_reply: Callable[[int], None]


class Moments:
    """A loop that keeps what is to come."""

    def __init__(self) -> None:
        self.now = 0.0
        self.later: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, then: Callable[[], None]) -> None:
        self.later.append((delay, then))


def aimed(seed: int, *, favourites: tuple[int, ...] = ()) -> tuple[Aim, Wires, Moments]:
    wires, loop = Wires(), Moments()
    made = Aim(
        wires,  # type: ignore[arg-type]  # all of a network that it looks at
        loop,  # type: ignore[arg-type]  # all of a loop that it asks
        random.Random(seed),
        favourites,
        slowness=lambda: 1.0,
        on_near=lambda: None,
    )
    return made, wires, loop


def _nothing() -> None:
    pass


def test_nobody_is_aimed_at_who_has_not_asked_lately() -> None:
    it, wires, loop = aimed(0)
    assert it.take(_nothing) == "nobody"
    wires.on_request(ApiKey.END_TXN)
    loop.now += aim.LATELY_S
    assert it.take(_nothing) == "nobody"


def test_questions_that_leave_nothing_behind_are_not_aimed_at() -> None:
    it, wires, _ = aimed(0)
    for kind in aim.LOOKING:
        wires.on_request(kind)
    assert it.take(_nothing) == "nobody"


def test_the_moment_comes_with_the_question_that_was_aimed_at_and_once() -> None:
    for seed in range(20):
        it, wires, loop = aimed(seed)
        wires.on_request(ApiKey.END_TXN)
        what = it.take(_nothing)
        hear = wires.on_reply if what == "END_TXN told" else wires.on_request
        for _ in range(10):
            wires.on_request(ApiKey.PRODUCE)
            wires.on_reply(ApiKey.PRODUCE)
        assert loop.later == []
        for _ in range(10):
            hear(ApiKey.END_TXN)
        ((_, then),) = loop.later
        assert then is _nothing


def test_what_is_aimed_at_no_more_does_not_come() -> None:
    it, wires, loop = aimed(1)
    wires.on_request(ApiKey.END_TXN)
    it.take(_nothing)
    it.drop()
    for _ in range(10):
        wires.on_request(ApiKey.END_TXN)
        wires.on_reply(ApiKey.END_TXN)
    assert loop.later == []


def test_a_favourite_is_aimed_at_more_often_than_others() -> None:
    kinds = []
    for seed in range(200):
        it, wires, _ = aimed(seed, favourites=(ApiKey.END_TXN,))
        for kind in (ApiKey.PRODUCE, ApiKey.OFFSET_COMMIT, ApiKey.JOIN_GROUP, ApiKey.END_TXN):
            wires.on_request(kind)
        kinds.append(it.take(_nothing).split()[0])
    assert kinds.count("END_TXN") > 100
    assert set(kinds) == {"PRODUCE", "OFFSET_COMMIT", "JOIN_GROUP", "END_TXN"}
