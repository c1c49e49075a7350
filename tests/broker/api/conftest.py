"""What passes between a client and a handler: both messages as their version carries them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from drave.wire.api import API, ApiKey
from drave.wire.frames import decode_reply, decode_request, encode_reply, encode_request

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
