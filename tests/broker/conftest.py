"""A broker without sockets: handlers are asked directly, the disk is a temporary folder, the catalog is the twin."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drave.broker.context import Context, Pending
from drave.broker.core import Broker
from drave.broker.dispatch import route
from drave.catalog import Topic
from drave.catalog.memory import MemoryCatalog
from drave.log import Logs
from drave.model.settings import BrokerSettings
from drave.model.system import SystemEntropy
from drave.store.disk import RealDisk
from drave.wire.api import API, ApiKey
from tests.broker.still import RecordedConnection, StillBroker


class ManualClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now_ms = 1_750_000_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return self.now_ms / 1000

    def advance(self, ms: int) -> None:
        self.now_ms += ms


class Asker:
    """One client of the broker under test."""

    def __init__(self, broker: Broker, clock: ManualClock, client_id: str | None = "test") -> None:
        self.broker = broker
        self.clock = clock
        self.client_id = client_id
        self.connection = RecordedConnection()

    def start(self, request: Any, version: int | None = None) -> Any:
        """What the handler returns: a response, a Pending, a coroutine or None."""
        key = ApiKey(next(key for key, api in API.items() if api.request is type(request)))
        version = API[key].versions[1] if version is None else version
        context = Context(version, self.client_id, self.connection)
        return route(key, version).handler(self.broker, context, request)

    async def ask(self, request: Any, version: int | None = None) -> Any:
        """The response, once there is one."""
        result = self.start(request, version)
        if inspect.iscoroutine(result):
            result = await result
        return await answered(result) if isinstance(result, Pending) else result

    async def create_topic(self, name: str, partitions: int = 1, **configs: str) -> Topic:
        """A topic with configs under Kafka's names, `_` for `.`."""
        named = {key.replace("_", "."): value for key, value in configs.items()}
        topic_id = self.broker.entropy.topic_id()
        return await self.broker.catalog.create_topic(name, topic_id, partitions, named)


async def answered(pending: Pending) -> Any:
    """The answer that a parked request gets."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    pending.attach(future.set_result)
    return await asyncio.wait_for(future, 60)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def still() -> StillBroker:
    """A broker on which nothing happens by itself, as durable as it is by default."""
    return StillBroker()


@pytest.fixture
def settings(tmp_path: Path) -> BrokerSettings:
    return BrokerSettings.load(None, {}, {}, data_folder=tmp_path, durability="os")


@pytest.fixture
async def broker(settings: BrokerSettings, clock: ManualClock) -> AsyncIterator[Broker]:
    entropy = SystemEntropy()
    catalog = MemoryCatalog(entropy)
    logs = Logs.open(
        settings.data_folder,
        disk=RealDisk(),
        clock=clock,
        settings=settings.storage,
        topics=catalog.topics().values(),
        tombstones=catalog.tombstones(),
    )
    loop = asyncio.get_running_loop()
    broker = Broker(settings, clock=clock, entropy=entropy, scheduler=loop, catalog=catalog, logs=logs)
    logs.start(loop, raise_failure)
    await broker.groups.start()
    await broker.transactions.start()
    await broker.share_states.start()
    yield broker
    broker.end_waits()
    await broker.close()
    await logs.close()
    catalog.close()


@pytest.fixture
def asker(broker: Broker, clock: ManualClock) -> Asker:
    return Asker(broker, clock)


def raise_failure(error: BaseException) -> None:
    raise error
