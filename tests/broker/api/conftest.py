"""What passes between a client and a handler: both messages as their version carries them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from drave.catalog import Topic
from drave.records import parse_header
from drave.wire.api import API, ApiKey
from drave.wire.frames import decode_reply, decode_request, encode_reply, encode_request
from tests.broker.still import StillBroker, batch_of

See = Callable[..., Awaitable[Any]]


@pytest.fixture
def see(asker) -> See:
    """`await see(request, version)`: ask, and read the answer, as a client of that version would."""

    async def see(request: Any, version: int | None = None) -> Any:
        key = ApiKey(next(key for key, api in API.items() if api.request is type(request)))
        version = API[key].versions[1] if version is None else version
        asked = b"".join(encode_request(key, version, 1, "test", request))
        response = await asker.ask(decode_request(asked[4:])[1], version)
        frame = b"".join(encode_reply(key, version, 1, response))
        return decode_reply(key, version, frame[4:])[1]

    return see


@pytest.fixture
def append(broker) -> Callable[..., None]:
    """`append(topic, count)`: a batch of so many records in a partition, at once."""

    def append(topic: Topic, count: int = 1, *, partition: int = 0, **options: Any) -> None:
        data = batch_of(*[b"value"] * count, **options)
        broker.partition(topic, partition).append(data, parse_header(data), now_ms=broker.clock.wall_ms())

    return append


@pytest.fixture
def rides(still: StillBroker) -> Topic:
    """Three partitions: batches at 0, 3, 5 and 9, of which the third is large; at 0 and 2; none."""
    topic = still.create("rides", partitions=3)
    for values in ([b"a"] * 3, [b"b"] * 2, [b"c" * 100] * 4, [b"d"]):
        still.append(topic, *values)
    for values in ([b"e"] * 2, [b"f" * 500] * 2):
        still.append(topic, *values, partition=1)
    return topic
