"""Moments as people and files write them."""

from __future__ import annotations

from calendar import timegm
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.client.times import parse_time_ms, time_text

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("2019-03-23 20:21:09", 1_553_372_469_000),
        ("2019-03-23T20:21:09Z", 1_553_372_469_000),
        ("2019-03-23T20:21:09.125", 1_553_372_469_125),
        ("2019-03-23T16:21:09-04:00", 1_553_372_469_000),
        ("2019-03-23", 1_553_299_200_000),
        ("1969-12-31T23:59:59.999", -1),
        ("1553372469", 1_553_372_469_000),
        ("1553372469.5", 1_553_372_469_500),
        ("1553372469000", 1_553_372_469_000),
        ("1553372469000000", 1_553_372_469_000),
        ("1553372469000000000", 1_553_372_469_000),
        (" 0 ", 0),
    ],
)
def test_a_moment_is_read_however_it_is_written_and_is_utc_unless_it_says_otherwise(text: str, time_ms: int) -> None:
    assert parse_time_ms(text) == time_ms


@pytest.mark.parametrize(
    ("text", "ago_ms"), [("250ms", 250), ("90s", 90_000), ("1.5m", 90_000), ("2h", 7_200_000), ("3d", 259_200_000)]
)
def test_so_long_ago_is_counted_from_now(text: str, ago_ms: int) -> None:
    assert parse_time_ms(text, now_ms=NOW_MS) == NOW_MS - ago_ms


@pytest.mark.parametrize("text", ["", "soon", "2019-13-01", "nan", "inf", "5y", "15m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_time_ms(text)


@given(st.integers(0, 4_000_000_000_000))
def test_what_is_printed_is_read_back(time_ms: int) -> None:
    assert parse_time_ms(time_text(time_ms)) == time_ms


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # the bounds
def test_iso_is_what_datetime_says(moment: datetime) -> None:
    assert parse_time_ms(moment.isoformat()) == timegm(moment.utctimetuple()) * 1000 + moment.microsecond // 1000


def test_no_timestamp_prints_as_nothing() -> None:
    assert time_text(-1) == ""
