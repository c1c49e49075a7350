"""Where a Kafka is, and how to speak to it.

librdkafka waits and retries by itself, for minutes if it is let. That is right for a service and wrong for somebody at
a terminal, so the address is tried first: a refused connection, or a port that speaks something else than the client is
set to, is said at once, with what to do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from drave.client.errors import COORDINATOR_IS_MOVING, BadProperty, ClientError, NotListening, Unreachable, told
from drave.client.probing import complaint, speech_of

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Producer

T = TypeVar("T")

DEFAULT_BOOTSTRAP: Final = "localhost:9092"
DEFAULT_PORT: Final = 9092
ANSWER_TIMEOUT_S: Final = 15.0
DELIVERY_TIMEOUT_MS: Final = 30_000
_PORT_MAX: Final = 65535
_CONNECT_TIMEOUT_S: Final = 5.0
_ANSWER_S: Final = 1.0
"""How long a broker may take to answer before it is said that none does; Ctrl-C waits for that."""
_RETRY_PAUSE_S: Final = 0.1
_SIGN_IN_STEP_S: Final = 0.5
_NOT_LET_IN: Final = {"_SSL", "_AUTHENTICATION"}
_IDEMPOTENCE_SPEAKS: Final = {"enable.idempotence", "acks", "request.required.acks", "transactional.id"}

logger = logging.getLogger("drave.client")
"""What librdkafka says on its own. Nobody hears it unless the program sets up logging."""
logger.addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """`bootstrap` is HOST:PORT, several with commas; `properties` are librdkafka's and win over what we choose."""

    bootstrap: str = DEFAULT_BOOTSTRAP
    properties: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """That one of the addresses takes a connection and speaks as the properties say, and that it lets us in.

        Raises Unreachable, and BadProperty for what is no address.
        """
        protocol = self.properties.get("security.protocol", "plaintext").lower()
        reasons = []
        for address in map(str.strip, self.properties.get("bootstrap.servers", self.bootstrap).split(",")):
            try:
                why = complaint(speech_of(_host_and_port(address), _CONNECT_TIMEOUT_S), protocol)
            except OSError as error:
                reasons.append(f"{address} ({error.strerror or error})")
                continue
            if why is not None:
                raise Unreachable(f"what listens at {address} {why}")
            if protocol != "plaintext":
                self._sign_in()
            return
        raise NotListening(f"no broker answers at {', '.join(reasons)}; `drave serve` starts one")

    def _sign_in(self) -> None:
        """Raises Unreachable with what TLS or SASL failed at; librdkafka alone would try again until time is up."""
        from drave.client.librdkafka import AdminClient, KafkaException

        troubles: list[KafkaError] = []
        admin = self._make(AdminClient, {"error_cb": troubles.append})
        give_up = time.monotonic() + ANSWER_TIMEOUT_S
        while time.monotonic() < give_up:
            try:
                admin.list_topics(timeout=_SIGN_IN_STEP_S)
            except KafkaException:
                admin.poll(0)
            else:
                return
            for trouble in troubles:
                if trouble.name() in _NOT_LET_IN:
                    raise told(trouble, "sign in")

    def admin(self) -> Any:
        """confluent-kafka's AdminClient, whose methods have no types."""
        from drave.client.librdkafka import AdminClient

        return self._make(AdminClient, {})

    def producer(self, **more: Any) -> Producer:
        """Idempotent unless the properties speak of acknowledgements: nothing twice, nothing out of order.

        Keys go where Java's clients put them, and so does what is joined with them; librdkafka alone takes CRC-32.
        """
        from drave.client.librdkafka import Producer

        defaults: dict[str, Any] = {"message.timeout.ms": DELIVERY_TIMEOUT_MS, "partitioner": "murmur2_random", **more}
        if not _IDEMPOTENCE_SPEAKS & self.properties.keys():
            defaults["enable.idempotence"] = True
        if "delivery.timeout.ms" in self.properties:  # librdkafka's other name for the same
            del defaults["message.timeout.ms"]
        return self._make(Producer, defaults)

    def consumer(self, group: str, **more: Any) -> Consumer:
        """librdkafka's consumer, in this group once it subscribes; `more` are properties of its own."""
        from drave.client.librdkafka import Consumer

        return self._make(Consumer, {"group.id": group, **more})

    def _make(self, client: Callable[..., T], defaults: Mapping[str, Any]) -> T:
        from drave.client.librdkafka import KafkaException

        config = {"bootstrap.servers": self.bootstrap, "client.id": "drave", **defaults, **self.properties}
        try:
            return client(config, logger=logger)
        except KafkaException as error:
            raise BadProperty(f"a client property is not right: {error.args[0].str()}") from None


@contextmanager
def interruptible() -> Iterator[None]:
    """A block that calls librdkafka, and in which Ctrl-C stays a KeyboardInterrupt.

    confluent-kafka (2.16) loses the one that comes up inside a callback, and raises SystemError in its place.
    """
    try:
        yield
    except SystemError:
        raise KeyboardInterrupt from None


def answers(consumer: Consumer, topic: str | None = None) -> bool:
    """Whether a broker answers within a second: what librdkafka says of outages may be old news when it is heard."""
    from drave.client.librdkafka import KafkaException

    try:
        with interruptible():
            consumer.list_topics(topic, timeout=_ANSWER_S)
    except KafkaException:
        return False
    return True


def result(future: Future[Any], doing: str) -> Any:
    """What an admin request came to. `doing` completes "cannot …". Raises ClientError."""
    from drave.client.librdkafka import KafkaException

    try:
        return future.result(ANSWER_TIMEOUT_S)
    except KafkaException as error:
        raise told(error.args[0], doing) from None
    except TimeoutError:
        raise Unreachable(f"cannot {doing}: no answer within {ANSWER_TIMEOUT_S:.0f} s") from None


def coordinator_result(ask: Callable[[], Future[Any]], doing: str) -> Any:
    """The same for a request to a group's coordinator, which is asked again while it is still loading."""
    give_up = time.monotonic() + ANSWER_TIMEOUT_S
    while True:
        try:
            return result(ask(), doing)
        except ClientError as error:
            if error.name not in COORDINATOR_IS_MOVING or time.monotonic() > give_up:
                raise
        time.sleep(_RETRY_PAUSE_S)


def _host_and_port(address: str) -> tuple[str, int]:
    host, colon, port = address.strip().rpartition("://")[2].rpartition(":")
    if not colon or port.endswith("]"):
        host, port = address.strip(), str(DEFAULT_PORT)
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _PORT_MAX):
        raise BadProperty(f"{address.strip()} is not HOST:PORT: {port!r} is no port")
    return host.strip("[]"), int(port)
