"""Frames: a header and a body, in both directions.

    request   | length | key | version | correlation id | client id | tags | body |
    response  | length | correlation id | tags | body |

`tags` are there in flexible versions. Two things are as they are so that a client may ask with a version that the
broker does not know: a client id keeps its int16 length in every version, and a response to ApiVersions never has tags
(KIP-511). What is parsed here comes without its four bytes of length; what is encoded here begins with them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

import msgspec

from drave.schema import Buffer, SchemaError, decoder, encoder
from drave.schema.runtime import OverlongVarint, read_varint, skip_tags
from drave.wire.api import API, Api, ApiKey

Parts: TypeAlias = list[Buffer]
"""A frame, to be sent one part after another."""

_APIS: Final[dict[int, Api]] = {int(key): api for key, api in API.items()}
_FLEXIBLE: Final = {key: range(api.flexible_since, api.versions[1] + 1) for key, api in _APIS.items()}
"""The declared versions of each key that are flexible."""
_REQUEST: Final = struct.Struct(">hhih")
_RESPONSE: Final = struct.Struct(">i")
_REPLY: Final = struct.Struct(">ii")
_FLEXIBLE_REPLY: Final = struct.Struct(">iix")


class RequestHeader(msgspec.Struct, gc=False):
    """Who asks for what."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None


def parse_request_header(frame: Buffer) -> tuple[RequestHeader, int]:
    """The header, and where the body begins. Raises SchemaError.

    The tags are read only where the version is declared: what follows the client id of any other is unknown.
    """
    try:
        key, version, correlation_id, length = _REQUEST.unpack_from(frame)
        at = 10
        client_id = None
        if length >= 0:
            at += length
            client_id = str(frame[10:at], "utf-8", "replace")  # as Kafka reads it: it is only a name for people
        if version in _FLEXIBLE.get(key, ()):
            at = at + 1 if frame[at] == 0 else _skip_tags(frame, at)
    except (IndexError, struct.error):
        raise SchemaError("RequestHeader", 2, "ends too early") from None
    except OverlongVarint:
        raise SchemaError("RequestHeader", 2, "holds a varint of more than five bytes") from None
    if at > len(frame):
        raise SchemaError("RequestHeader", 2, "ends too early")
    return RequestHeader(key, version, correlation_id, client_id), at


def decode_request(frame: Buffer) -> tuple[RequestHeader, Any]:
    """Header and body of a request. Raises SchemaError."""
    header, at = parse_request_header(frame)
    return header, body_decoder(header.api_key, header.api_version)(frame, at)[0]


def body_decoder(key: int, version: int) -> Callable[[Buffer, int], tuple[Any, int]]:
    """What reads a request's body: from a frame and the body's position, the message and where it ends."""
    return decoder(_api(key, version).request, version)


def encode_reply(key: int, version: int, correlation_id: int, response: Any) -> Parts:
    """The frame of a response."""
    return reply_encoder(key, version)(correlation_id, response)


@cache
def reply_encoder(key: int, version: int) -> Callable[[int, Any], Parts]:
    """What writes the frames of a response: from the request's correlation id and the message, the parts."""
    api = _api(key, version)
    encode_body = encoder(api.response, version)
    header = _FLEXIBLE_REPLY if _has_reply_tags(api, version) else _REPLY
    pack, extra = header.pack, header.size - 4

    def encode(correlation_id: int, response: Any) -> Parts:
        parts = encode_body(response)
        size = len(parts[0]) if len(parts) == 1 else sum(map(len, parts))
        parts[0] = pack(size + extra, correlation_id) + parts[0]
        return parts

    return encode


def encode_request(key: int, version: int, correlation_id: int, client_id: str | None, request: Any) -> Parts:
    """The frame of a request."""
    api = _api(key, version)
    name = b"" if client_id is None else client_id.encode()
    header = _REQUEST.pack(key, version, correlation_id, -1 if client_id is None else len(name)) + name
    if version >= api.flexible_since:
        header += b"\0"
    body = encoder(api.request, version)(request)
    return [_RESPONSE.pack(len(header) + sum(map(len, body))) + header, *body]


def decode_reply(key: int, version: int, frame: Buffer) -> tuple[int, Any]:
    """Correlation id and body of a response. Raises SchemaError."""
    api = _api(key, version)
    at = 4
    try:
        (correlation_id,) = _RESPONSE.unpack_from(frame)
        if _has_reply_tags(api, version):
            at = _skip_tags(frame, at)
    except (IndexError, struct.error):
        raise SchemaError("ResponseHeader", 1, "ends too early") from None
    except OverlongVarint:
        raise SchemaError("ResponseHeader", 1, "holds a varint of more than five bytes") from None
    return correlation_id, decoder(api.response, version)(frame, at)[0]


def _api(key: int, version: int) -> Api:
    api = _APIS.get(key)
    if api is None:
        raise SchemaError(f"API key {key}", version, "is none that is declared")
    return api


def _has_reply_tags(api: Api, version: int) -> bool:
    return version >= api.flexible_since and api.key != ApiKey.API_VERSIONS


def _skip_tags(frame: Buffer, at: int) -> int:
    count, at = read_varint(frame, at)
    return skip_tags(frame, at, count)
