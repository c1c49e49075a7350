"""The broker that the clients talk to.

By default it is Drave, in a thread. To see whether a test tells the truth, the same tests run against something else:

    BOOTSTRAP=host:9092 …    any Kafka that runs already (what restarts the broker is skipped)
    AGAINST=kafka …          Apache Kafka, started here from the jars that `bench.reference` finds
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from bench import reference
from bench.brokers import Kafka
from tests.clients.adapters import CLIENTS, Client, Restartable, Running


class Elsewhere:
    """A broker that somebody else runs."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap


@contextmanager
def _apache_kafka(folder: Path) -> Iterator[Restartable]:
    try:
        reference.library()
    except reference.Missing as missing:
        pytest.skip(str(missing))
    with Kafka(folder) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One broker for every test that does not end it."""
    if bootstrap := os.environ.get("BOOTSTRAP"):
        yield Elsewhere(bootstrap)
    elif os.environ.get("AGAINST") == "kafka":
        with _apache_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
            yield kafka
    else:
        from drave.testing import Broker  # here, so that the others need nothing of Drave

        with Broker(initial_task_delay_ms=86_400_000) as drave:  # no retention: some records are years old
            yield drave


@pytest.fixture
def restartable(tmp_path: Path) -> Iterator[Restartable]:
    """A broker of the test's own, in a process, that may be restarted and killed."""
    if os.environ.get("BOOTSTRAP"):
        pytest.skip("a broker that runs elsewhere cannot be restarted from here")
    if os.environ.get("AGAINST") == "kafka":
        with _apache_kafka(tmp_path) as kafka:
            yield kafka
    else:
        from drave.testing import Broker

        with Broker(tmp_path, process=True, durability="fsync") as drave:
            yield drave


@pytest.fixture(params=CLIENTS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> type[Client]:
    """Each client in turn."""
    return cast("type[Client]", request.param)


@pytest.fixture
def client(kind: type[Client], broker: Running) -> Client:
    """Each client in turn, for the shared broker."""
    return kind(broker.bootstrap)


_numbers = itertools.count()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Callable[[], str]:
    """A topic name that no other test has."""
    return lambda: f"{os.getpid()}-{next(_numbers)}-{request.node.originalname}"


@pytest.fixture
def topic(name: Callable[[], str], broker: Running) -> str:
    """A fresh topic of one partition."""
    made = name()
    CLIENTS[0](broker.bootstrap).create(made)
    return made
