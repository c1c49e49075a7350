"""A record as a line of JSON, and by a template."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.cli.records import ParsedRecord, Template, parse_record, record_json, value_line

payloads = st.none() | st.text(max_size=20).map(str.encode) | st.binary(max_size=20)
header_lists = st.lists(st.tuples(st.text(max_size=8), payloads), max_size=3)


class Message:
    """What librdkafka hands over, as far as it is asked for."""

    def __init__(self, key: bytes | None, value: bytes | None, headers: Any = None, timestamp: int = -1) -> None:
        self._key, self._value, self._headers, self._timestamp = key, value, headers, timestamp

    def topic(self) -> str:
        return "rides"

    def partition(self) -> int:
        return 1

    def offset(self) -> int:
        return 42

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Any:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return 1, self._timestamp


@given(payloads, payloads, header_lists, st.integers(-1, 1 << 43))
def test_a_record_printed_as_json_is_parsed_to_the_same_record(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]], timestamp: int
) -> None:
    line = record_json(Message(key, value, headers or None, timestamp))  # type: ignore[arg-type]  # the stand-in
    assert b"\n" not in line
    parsed = parse_record(line)
    assert parsed == ParsedRecord(key, value, headers, None if timestamp == -1 else timestamp)


def test_a_line_names_where_the_record_lies() -> None:
    fields = msgspec.json.decode(record_json(Message(b"k", b"\xff", [("h", b"\xfe")], 5)))  # type: ignore[arg-type]
    assert fields == {
        "topic": "rides",
        "partition": 1,
        "offset": 42,
        "timestamp": 5,
        "key": "k",
        "value_base64": "/w==",
        "headers": [["h", {"base64": "/g=="}]],
    }


def test_a_person_may_write_less_and_a_value_that_is_no_text_is_sent_as_json() -> None:
    assert parse_record(b'{"value": {"a": [1, 2.5]}}') == ParsedRecord(None, b'{"a":[1,2.5]}', [], None)
    assert parse_record(b'{"value": null, "key": 7, "headers": {"x": "y"}}') == ParsedRecord(
        b"7", None, [("x", b"y")], None
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"hello", "not JSON"),
        (b"[]", "an object with a value"),
        (b'{"key": "k"}', "an object with a value"),
        (b'{"value": "v", "timestamp": "soon"}', "not a number of milliseconds"),
        (b'{"value_base64": "?"}', "is not base64"),
        (b'{"value": "v", "headers": [1]}', "is not a header"),
        (b'{"value": "v", "headers": 1}', "are not headers"),
    ],
)
def test_a_line_that_is_no_record_is_refused_with_the_reason(line: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_record(line)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_json_says_is_a_record_or_a_reason(document: Any) -> None:
    for line in (document, {"value": document}, {"value": "", "headers": document}, {"value_base64": document}):
        with contextlib.suppress(ValueError):
            assert isinstance(parse_record(msgspec.json.encode(line)), ParsedRecord)


def test_a_template_names_its_fields() -> None:
    message = Message(b"Soho", None, [("a", b"b"), ("c", None)], 1_553_372_469_000)
    template = Template(r"{topic}[{partition}]@{offset:>5}\t{time} {timestamp} {key}={value} {headers} {{}}")
    assert template.render(message) == (  # type: ignore[arg-type]  # the stand-in
        b"rides[1]@   42\t2019-03-23T20:21:09.000Z 1553372469000 Soho=null a=b,c=null {}"
    )


@pytest.mark.parametrize(
    "text", ["{keys}", "{0}", "{}", "{key.__class__}", "{key[0]}", "{key", "{offset:s}", "{key!r:d}"]
)
def test_a_template_that_makes_no_sense_is_refused_before_anything_is_read(text: str) -> None:
    with pytest.raises(ValueError):
        Template(text)


def test_a_value_alone_is_printed_as_it_is() -> None:
    assert value_line(Message(None, b"\xff\x00")) == b"\xff\x00"  # type: ignore[arg-type]  # the stand-in
    assert value_line(Message(None, None)) == b"null"  # type: ignore[arg-type]  # the stand-in
