"""A real broker for tests, in any language's client.

    from drave.testing import Broker

    with Broker() as kafka:
        producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap})

With pytest, the fixture `drave_broker` gives a fresh one to each test that names it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drave.testing.broker import Broker, BrokerDied

__all__ = ["Broker", "BrokerDied"]


def __getattr__(name: str) -> object:
    """Load the broker on first use: every pytest run of a project that has Drave loads this package for its plugin."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from drave.testing import broker

    return getattr(broker, name)
