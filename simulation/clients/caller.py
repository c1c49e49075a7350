"""A client process's way to the broker: one connection that is made again when it is lost.

    ask ─▶ Connection ─▶ reply
              └─ lost, or silent for too long ─▶ Unanswered: nobody knows whether it happened

Each process speaks versions of its own, drawn once for each API key from what the broker serves, so that over the seeds
every version meets every fault.
"""

from __future__ import annotations

import asyncio
import re
from random import Random
from typing import TYPE_CHECKING, Any, Final

from drave.broker.dispatch import HANDLERS
from drave.model.errors import RETRIABLE, ErrorCode
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.schema import Struct
from drave.wire.api import API, ApiKey
from drave.wire.messages.k03_metadata import MetadataRequest, MetadataRequestTopic
from simulation.history import Partition, Silence
from simulation.world import ConnectionLost

if TYPE_CHECKING:
    from simulation.history import History
    from simulation.world import Connection, World

REQUEST_TIMEOUT_MS: Final = 4_000
"""After so long without a reply a client takes the connection for dead, as Kafka's do (after 30 s there)."""
BACKOFF_MS: Final = (20, 400)
TRY_AGAIN: Final = RETRIABLE - {ErrorCode.CORRUPT_MESSAGE}
_WORDS: Final = re.compile(r"(?<!^)(?=[A-Z])")


class Unanswered(Exception):
    """The connection was lost, or nothing came: whether it happened is not known."""


def key_of(message: Struct) -> ApiKey:
    """What a request asks for."""
    return ApiKey[_WORDS.sub("_", type(message).__name__.removesuffix("Request")).upper()]


class Caller:
    """One process of a client."""

    def __init__(self, world: World, name: str, random: Random) -> None:
        self.world = world
        self.name = name
        self.random = random
        self.unanswered = 0
        """How many questions were never answered: each may still be on its way."""
        self.back_off_ms = BACKOFF_MS
        self._connection: Connection | None = None
        self._versions: dict[ApiKey, int] = {}

    @property
    def history(self) -> History:
        return self.world.history

    def version(self, key: ApiKey, *, low: int = 0, high: int = 1 << 15) -> int:
        """The version that this process speaks, drawn when it is first needed, or when it has to be another one."""
        found = self._versions.get(key, -1)
        if not low <= found <= high:
            assert key in HANDLERS, f"{key.name} is served"
            first, last = API[key].versions
            found = self._versions[key] = self.random.randint(max(first, low), min(last, high))
        return found

    async def connected(self) -> Connection:
        """The connection, made anew where there is none; as often as it takes."""
        while self._connection is None:
            try:
                self._connection = await self.world.connect(self.name)
            except ConnectionLost:
                await self.back_off()
        return self._connection

    async def ask(
        self, message: Struct, *, timeout_ms: int = REQUEST_TIMEOUT_MS, connection: Connection | None = None
    ) -> Any:
        """The reply; on this connection and no other, where one is given. Raises Unanswered."""
        if connection is None:
            connection = await self.connected()
        asked = self.history.now()
        key = key_of(message)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                reply = await connection.ask(message, self.version(key))
        except ConnectionLost:
            self.unanswered += 1
            self.lose(connection)
            raise Unanswered from None
        except TimeoutError:
            self.unanswered += 1
            self.history.silences.append(Silence(self.name, asked, self.history.now(), key.name))
            self.lose(connection)
            raise Unanswered from None
        if wait_ms := getattr(reply, "throttle_time_ms", 0):
            await self.world.sleep(wait_ms)  # an honest client does as it is told (KIP-219)
        return reply

    async def insist(self, message: Struct, *, timeout_ms: int = REQUEST_TIMEOUT_MS) -> Any:
        """The reply, asked for as often as it takes: for questions that change nothing, or the same thing again."""
        while True:
            try:
                return await self.ask(message, timeout_ms=timeout_ms)
            except Unanswered:
                await self.back_off()

    def lose(self, connection: Connection) -> None:
        """This connection is of no use any more."""
        connection.close()
        if self._connection is connection:
            self._connection = None

    def close(self) -> None:
        """The process ends."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def back_off(self) -> None:
        await self.world.sleep(self.random.randint(*self.back_off_ms))

    async def rest(self, chance: float) -> None:
        """Sometimes, wait until everybody begins to work again: so there is a crowd, and time between two crowds."""
        tide_ms = self.world.plan.tide_ms
        if tide_ms and not self.world.is_healed and self.random.random() < chance:
            await self.world.sleep(tide_ms - self.world.now_ms() % tide_ms)

    # -- what there is

    async def partitions(self, *topics: str) -> dict[str, list[Partition]]:
        """The partitions of topics that exist; those that do not are missing."""
        while True:
            request = MetadataRequest(
                topics=[MetadataRequestTopic(name=topic) for topic in topics], allow_auto_topic_creation=False
            )
            self.version(ApiKey.METADATA, low=10)  # below, ids are not told
            reply = await self.insist(request)
            codes = {topic.error_code for topic in reply.topics}
            if codes <= {ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}:
                return {
                    topic.name: [
                        Partition(topic.name, TopicId(topic.topic_id), index) for index in range(len(topic.partitions))
                    ]
                    for topic in reply.topics
                    if topic.error_code == ErrorCode.NONE and topic.topic_id != ZERO_TOPIC_ID
                }
            await self.back_off()

    async def wait_for(self, topic: str) -> list[Partition]:
        """The partitions of a topic that somebody makes."""
        while not (found := (await self.partitions(topic)).get(topic)):
            await self.back_off()
        return found
