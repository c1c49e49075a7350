"""The stage of one scenario on one broker: its names, its connections, and what it has seen.

What is `ask`ed is seen; what is done `quietly`, to get somewhere or to wait for something, is not. Nothing waits by
the clock, with one exception: what Kafka's controller has decided reaches its broker's logs a moment after it can be
seen, and nothing tells when; `settle_s` is that moment, and Drave's is 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from differential.client import (
    CLIENT_ID,
    HIGHEST,
    HOST,
    PATIENCE_S,
    Asked,
    Connection,
    ConnectionEnded,
    NoAnswer,
    Unreadable,
    key_of,
)
from differential.observation import Eye, Json
from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.wire.messages.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from drave.wire.messages.k03_metadata import MetadataRequest, MetadataRequestTopic
from drave.wire.messages.k10_find_coordinator import FindCoordinatorRequest
from drave.wire.messages.k19_create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest

Step = tuple[str, Json]
"""What was asked, and what was seen."""

COORDINATOR_IS_COMING: Final = (ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
POLL_S: Final = 0.002


class NeverHappened(Exception):
    """What was waited for did not come."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by both its names: requests by name and by id are made of the same one."""

    name: str
    id: TopicId
    partitions: int = 1


class Stage:
    """Where one scenario plays. `number` tells its names from those of others on the same broker."""

    def __init__(self, port: int, number: int, *, settle_s: float = 0.0) -> None:
        self.mark = f"x{number:05x}-"
        self.port = port
        self.steps: list[Step] = []
        self._eye = Eye(self.mark, HOST, port)
        self._settle_s = settle_s
        self._connections: list[Connection] = []
        self._main: Connection | None = None
        self._quiet: Connection | None = None

    # -- names

    def name(self, word: str = "a") -> str:
        """A name that nobody else has. All begin alike, with seven characters."""
        return self.mark + word

    def topic(self, word: str = "a", *, partitions: int = 1, **configs: str) -> Topic:
        """A topic that is ready to be used; `max_message_bytes="100"` is its config `max.message.bytes`."""
        given = [CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()]
        wanted = CreatableTopic(
            name=self.name(word), num_partitions=partitions, replication_factor=1, assignments=[], configs=given
        )
        (made,) = self.quietly(CreateTopicsRequest(topics=[wanted])).topics
        if made.error_code:
            raise NeverHappened(f"topic {word}: {ErrorCode(made.error_code).name}: {made.error_message}")
        return self.ready(word, partitions)

    def ready(self, word: str = "a", partitions: int = 1) -> Topic:
        """Wait until a topic that was asked for has its partitions, and all of them are led."""
        name = self.name(word)
        wanted = MetadataRequest(topics=[MetadataRequestTopic(name=name)], allow_auto_topic_creation=False)
        metadata = self.wait(wanted, lambda answer: _is_led(answer, partitions))
        topic = Topic(name, metadata.topics[0].topic_id, partitions)
        self._eye.symbols.give("uuid", bytes(topic.id), f"id of {word}")
        each = [ListOffsetsPartition(partition_index=index, timestamp=-1) for index in range(partitions)]
        ends = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=name, partitions=each)])
        self.wait(ends, lambda answer: not any(found.error_code for found in answer.topics[0].partitions))
        return topic

    def gone(self, topic: Topic) -> None:
        """Wait until a topic is no more."""
        wanted = MetadataRequest(topics=[MetadataRequestTopic(name=topic.name)], allow_auto_topic_creation=False)
        self.wait(wanted, lambda answer: answer.topics[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        self.settle()

    def group(self, word: str = "group") -> str:
        """The name of a group whose coordinator is there."""
        name = self.name(word)
        self.wait(FindCoordinatorRequest(key=name), lambda answer: answer.error_code not in COORDINATOR_IS_COMING, 2)
        return name

    def met(self, producer_id: int) -> None:
        """A producer was given its id quietly: it has a symbol from now on."""
        self._eye.symbols.of("producer", producer_id)

    def ready_to_play(self) -> None:
        """Wait until a broker that has just started does what every scenario expects of it."""
        anyone = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000)
        self.wait(anyone, lambda answer: not answer.error_code)
        self.group()
        self.close()

    def settle(self) -> None:
        """Let what the controller has decided reach the logs."""
        if self._settle_s:
            time.sleep(self._settle_s)

    # -- asking

    def connect(self, client_id: str = CLIENT_ID) -> Connection:
        """One more connection; all are closed when the scenario is over."""
        self._connections.append(Connection(self.port, client_id))
        return self._connections[-1]

    @property
    def connection(self) -> Connection:
        """The connection of those who name none; a new one where the broker has closed the last."""
        if self._main is None:
            self._main = self.connect()
        return self._main

    def ask(
        self,
        request: Any,
        version: int | None = None,
        *,
        on: Connection | None = None,
        mine: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> Any:
        """Ask, and see the answer: None where the broker closes instead, or says nothing for so long, as Kafka may."""
        return self.answer(self.send(request, version, on=on), mine=mine, patience_s=patience_s)

    def ask_again(
        self, request: Any, until: Callable[[Any], bool], version: int | None = None, *, mine: bool = False
    ) -> Any:
        """Ask as clients do, until the answer is not only that they should ask later; see that one."""
        version = HIGHEST[key_of(type(request))] if version is None else version
        response = self.wait(request, until, version)
        label = key_of(type(request)).name.title().replace("_", "")
        self.see(label, self._eye.see(response, version, mine=mine))
        return response

    def send(self, request: Any, version: int | None = None, *, on: Connection | None = None) -> Asked:
        """Ask, and do not wait for the answer."""
        return (on or self.connection).send(request, HIGHEST[key_of(type(request))] if version is None else version)

    def answer(self, asked: Asked, *, mine: bool = False, patience_s: float = PATIENCE_S) -> Any:
        """See the answer to a request that was sent."""
        label = asked.key.name.title().replace("_", "")
        try:
            response = asked.connection.answer(asked, patience_s=self._patience_s(patience_s))
        except (ConnectionEnded, NoAnswer, Unreadable) as failure:
            self.see(label, {ConnectionEnded: "closed", NoAnswer: "silence"}.get(type(failure), str(failure)))
            self._leave(asked.connection)
            return None
        self.see(label, self._eye.see(response, asked.version, mine=mine))
        return response

    def frame(self, label: str, *, on: Connection | None = None, patience_s: float = PATIENCE_S) -> bytes:
        """See whether bytes that were sent get any answer; empty where they do not."""
        connection = on or self.connection
        try:
            frame = connection.frame(patience_s=patience_s)
        except (ConnectionEnded, NoAnswer) as failure:
            self.see(label, "closed" if isinstance(failure, ConnectionEnded) else "silence")
            self._leave(connection)
            return b""
        self.see(label, "answered")
        return frame

    def _patience_s(self, kafkas_s: float) -> float:
        """Where it is known that Kafka says nothing, nobody need wait long for it; Drave is never taken for silent."""
        return kafkas_s if self._settle_s else PATIENCE_S

    def is_answered(self, asked: Asked) -> bool:
        """Whether a request is answered, or its connection closed; neither is seen."""
        try:
            asked.connection.answer(asked)
        except ConnectionEnded:
            self._leave(asked.connection)
            return False
        return True

    def see(self, label: str, what: Json) -> None:
        """Put something down as seen."""
        self.steps.append((label, what))

    def _leave(self, connection: Connection) -> None:
        connection.close()
        if connection is self._main:
            self._main = None

    # -- without being seen

    def quietly(self, request: Any, version: int | None = None) -> Any:
        """Ask on a connection of its own, and see nothing."""
        if self._quiet is None:
            self._quiet = self.connect()
        return self._quiet.answer(self.send(request, version, on=self._quiet))

    def wait(self, request: Any, until: Callable[[Any], bool], version: int | None = None) -> Any:
        """Ask quietly until the answer is what is waited for. Raises NeverHappened."""
        end = time.monotonic() + PATIENCE_S
        while not until(answer := self.quietly(request, version)):
            if time.monotonic() > end:
                raise NeverHappened(f"{request!r} never had the answer; the last one was {answer!r}")
            if self._settle_s:
                time.sleep(POLL_S)
        return answer

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def _is_led(answer: Any, partitions: int) -> bool:
    (topic,) = answer.topics
    return (
        not topic.error_code
        and len(topic.partitions) == partitions
        and all(not partition.error_code and partition.leader_id >= 0 for partition in topic.partitions)
    )
