"""Every scenario with the three clients in Python, against a broker in this process, and before the witness.

`make conformance` runs the other seven clients too.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance import witness
from conformance.clients import WHOLE
from conformance.contract import SCENARIOS, Outcome
from conformance.drive import Lacks
from conformance.python.scenarios import Scenarios
from drave.testing import Broker
from tests.clients.adapters import CLIENTS, Client
from tests.net.raw import Connection

LACKING = {
    "confluent-kafka": {"log-dirs"},
    "aiokafka": {"cooperative", "log-dirs", "new-groups", "share-groups"},
    "kafka-python": {"new-groups", "share-groups"},
}
PATIENT = frozenset({"rebalance", "cooperative", "static", "new-groups", "share-groups", "group", "groups", "offsets"})
"""Members of groups wait for each other: up to some seconds."""
UNHURRIED = "kafka-python"
"""It takes a third of a second to connect, which it does for every call of the adapter's."""


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker(initial_task_delay_ms=86_400_000) as running:  # no retention yet: the records are years old
        yield running


def cases() -> Iterator[object]:
    for kind in CLIENTS:
        for scenario in SCENARIOS:
            marks = [pytest.mark.slow] if scenario in PATIENT or kind.name == UNHURRIED else []
            yield pytest.param(kind, scenario, marks=marks, id=f"{kind.name}-{scenario}")


@pytest.mark.parametrize(("kind", "scenario"), [*cases()])
def test_a_client_does_what_the_table_says(kind: type[Client], scenario: str, broker: Broker) -> None:
    try:
        Scenarios(kind, broker.bootstrap, kind.name).table()[scenario]()
    except Lacks:
        assert scenario in LACKING[kind.name]
        return
    assert scenario not in LACKING[kind.name]
    with Connection(broker.port) as connection:
        assert witness.look(connection, kind.name, WHOLE, Outcome(scenario, True)) == Outcome(scenario, True)
