"""A real broker for tests, in any language's client.

    from drave.testing import Broker

    with Broker() as kafka:
        producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap})

With pytest, the fixture `drave_broker` gives a fresh one to each test that names it.
"""

from drave.testing.broker import Broker, BrokerDied

__all__ = ["Broker", "BrokerDied"]
