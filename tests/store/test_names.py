"""Names are Kafka's, and only what we named is recognised."""

from __future__ import annotations

from pathlib import Path

import pytest

from drave.model.ids import TopicId, topic_id_from_text
from drave.store import names

TOPIC = topic_id_from_text("kDqITJNEQYCmtIp4gjfMPQ")


@pytest.mark.parametrize("offset", [0, 1, 400, (1 << 63) - 1])
def test_a_segment_is_named_by_the_twenty_digits_of_its_base_offset(offset: int) -> None:
    name = names.offset_name(offset, names.LOG)
    assert len(name) == 24
    assert names.offset_of(name, names.LOG) == offset
    assert names.offset_of(name, names.INDEX) is None


@pytest.mark.parametrize(
    "name", ["400.log", "0000000000000000040x.log", "00000000000000000400", "٠" * 20 + ".log", ".log"]
)
def test_another_name_is_no_segment(name: str) -> None:
    assert names.offset_of(name, names.LOG) is None


@pytest.mark.parametrize(
    ("folder", "place"),
    [
        ("rides-3", ("rides", 3)),
        ("a-b-c-0", ("a-b-c", 0)),
        ("rides", None),
        ("-3", None),
        ("rides-", None),
        ("rides-x", None),
        ("rides-3.kDqITJNEQYCmtIp4gjfMPQ-delete", None),
        ("rides-3.unknown-stray", None),
    ],
)
def test_a_folder_names_its_partition(folder: str, place: tuple[str, int] | None) -> None:
    assert names.partition_of(folder) == place


def test_a_doomed_folder_has_a_name_that_no_partition_has() -> None:
    doomed = names.doomed_name("rides-3", TOPIC)
    assert doomed.endswith(names.DELETE)
    assert names.partition_of(doomed) is None
    assert names.partition_folder(Path("/topics"), "rides", 3).name == "rides-3"


def test_the_metadata_says_whose_the_folder_is() -> None:
    assert names.encode_metadata(TOPIC) == b"version: 0\ntopic_id: kDqITJNEQYCmtIp4gjfMPQ"
    assert names.decode_metadata(names.encode_metadata(TOPIC)) == TOPIC


@pytest.mark.parametrize(
    "torn", [None, b"", b"version: 0\ntopic", b"version: 0\ntopic_id: kDq", b"\x00" * 43, b"\xff\xfe"]
)
def test_a_torn_metadata_says_nothing(torn: bytes | None) -> None:
    assert names.decode_metadata(torn) is None


def test_kafkas_own_metadata_is_read_too() -> None:
    """Kafka ends the last line, and so may people."""
    assert names.decode_metadata(b"version: 0\ntopic_id: kDqITJNEQYCmtIp4gjfMPQ\n") == TopicId(TOPIC)
