"""The pytest plugin: `drave_broker` is a fresh, empty broker for each test that names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from drave.testing.broker import Broker


@pytest.fixture
def drave_broker() -> Iterator[Broker]:
    """A running `drave.testing.Broker`; clients connect to its `bootstrap`."""
    from drave.testing.broker import Broker  # only for tests that use it: every pytest run loads this module

    with Broker() as broker:
        yield broker
