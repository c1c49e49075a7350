"""ApiVersions: the versions that nobody has, and what a client may say of itself."""

from __future__ import annotations

import struct

from differential.scenario import scenario
from differential.stage import Stage
from drave.wire.api import API, ApiKey
from drave.wire.frames import decode_reply
from drave.wire.messages.k18_api_versions import ApiVersionsRequest

API_VERSIONS = ApiKey.API_VERSIONS


def _see_codes(stage: Stage, version: int, request: ApiVersionsRequest) -> None:
    """The error alone: which keys there are is another scenario."""
    answer = stage.connection.answer(stage.send(request, version))
    stage.see("error code", answer.error_code)


@scenario(API_VERSIONS, key=API)
def versions_of_a_key(stage: Stage, version: int, key: ApiKey) -> None:
    request = ApiVersionsRequest(client_software_name="differential", client_software_version="1")
    answer = stage.connection.answer(stage.send(request, version))
    stage.see("versions", [[api.min_version, api.max_version] for api in answer.api_keys if api.api_key == key])


@scenario(API_VERSIONS)
def twice_on_one_connection(stage: Stage, version: int) -> None:
    request = ApiVersionsRequest(client_software_name="differential", client_software_version="1")
    _see_codes(stage, version, request)
    _see_codes(stage, version, request)


@scenario(API_VERSIONS, since=3, name=("", "-a", "a-", "a b", "a.b-c", "ä", "a" * 300))
def names_of_the_software(stage: Stage, version: int, name: str) -> None:
    _see_codes(stage, version, ApiVersionsRequest(client_software_name=name, client_software_version="1"))
    _see_codes(stage, version, ApiVersionsRequest(client_software_name="a", client_software_version=name))


@scenario(version=(6, 100, 32767, -1))
def versions_from_the_future(stage: Stage, version: int) -> None:
    stage.connection.send_frame(API_VERSIONS, version, b"", tags=b"\0" if version > 0 else b"")
    frame = stage.frame("answer")
    if frame:
        _, answer = decode_reply(API_VERSIONS, 0, frame)
        stage.see("error code", answer.error_code)
        stage.see("knows itself", any(key.api_key == API_VERSIONS for key in answer.api_keys))


@scenario(key=(4, 5, 6, 7, 56, 200, -1, 32767))
def keys_that_nobody_serves(stage: Stage, key: int) -> None:
    stage.connection.send_frame(key, 0, b"")
    stage.frame("answer")


@scenario(key=(0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 20, 22, 23, 32, 42, 47, 60), version=(-1, 99))
def versions_that_nobody_serves(stage: Stage, key: int, version: int) -> None:
    stage.connection.send_frame(key, version, b"")
    stage.frame("answer")


@scenario(key=(0, 1, 2))
def versions_of_long_ago(stage: Stage, key: int) -> None:
    stage.connection.send_frame(key, 0, b"")
    stage.frame("answer")


@scenario(size=(0, 1, 7, -1, -2147483648, 2147483647))
def frames_of_an_impossible_size(stage: Stage, size: int) -> None:
    stage.connection.send_bytes(struct.pack(">i", size) + b"x" * min(max(size, 0), 7))
    stage.frame("answer")


@scenario(key=(0, 1, 3, 10, 11, 19), version=(5,))
def bodies_that_end_too_early(stage: Stage, key: int, version: int) -> None:
    stage.connection.send_frame(key, version, b"\0")
    stage.frame("answer")


@scenario(API_VERSIONS)
def bytes_behind_a_body(stage: Stage, version: int) -> None:
    body = b"\2a\2b\0" if version >= 3 else b""
    stage.connection.send_frame(API_VERSIONS, version, body + b"extra", tags=b"\0" if version >= 3 else b"")
    stage.frame("answer")
