"""Sessions with handlers that do as the request says."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.net.harness import World


@pytest.fixture
def make_world(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """Sessions under settings of one's own."""

    def make(**settings: Any) -> World:
        world = World(**settings)
        monkeypatch.setattr("drave.net.session.route", world.handlers.route)
        return world

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
