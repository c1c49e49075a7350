"""Recorded data: rows become records, in time order and in their own time."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drave.client.errors import ClientError
from drave.client.recordings import Pace, Row, open_recording

TRIPS = '''pickup,zone,fare
2019-03-23 20:21:09,Soho,7.0
2019-03-04 16:11:55,,5.0
2019-03-23 20:21:09,"Queens, ""Astoria""",27
'''


def rows_of(path: Path, text: str, **options: str) -> list[Row]:
    path.write_text(text, encoding="utf-8")
    return list(open_recording(path, **options).rows())


def test_a_csv_row_is_a_json_object_of_texts_and_an_empty_cell_is_null(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "trips.csv", TRIPS)
    assert rows[0] == Row(None, None, b'{"pickup":"2019-03-23 20:21:09","zone":"Soho","fare":"7.0"}')
    assert msgspec.json.decode(rows[1].value) == {"pickup": "2019-03-04 16:11:55", "zone": None, "fare": "5.0"}


def test_a_key_column_gives_the_key_and_an_empty_cell_none(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "trips.csv", TRIPS, key="zone")
    assert [row.key for row in rows] == [b"Soho", None, b'Queens, "Astoria"']


def test_a_time_column_sorts_and_rows_of_one_time_keep_their_order(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "trips.csv", TRIPS, key="zone", time="pickup")
    assert [row.time_ms for row in rows] == [1_551_715_915_000, 1_553_372_469_000, 1_553_372_469_000]
    assert [row.key for row in rows] == [None, b"Soho", b'Queens, "Astoria"']


def test_a_jsonl_line_is_sent_as_it_stands(tmp_path: Path) -> None:
    text = '{"at": 1553372469, "id": 7,  "deep": {"x": [1]}}\n\n{"at": 1553372460, "id": null}\n'
    rows = rows_of(tmp_path / "events.jsonl", text, key="id", time="at")
    assert rows == [
        Row(1_553_372_460_000, None, b'{"at": 1553372460, "id": null}'),
        Row(1_553_372_469_000, b"7", b'{"at": 1553372469, "id": 7,  "deep": {"x": [1]}}'),
    ]


def test_a_byte_order_mark_and_carriage_returns_are_not_data(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbfid,zone\r\n1,Soho\r\n")
    assert list(open_recording(path, key="id").rows()) == [Row(None, b"1", b'{"id":"1","zone":"Soho"}')]


@pytest.mark.parametrize(
    ("name", "text", "options", "complaint"),
    [
        ("t.csv", TRIPS, {"key": "zones"}, "has no column zones; it has pickup, zone, fare"),
        ("t.csv", TRIPS, {"time": "fare"}, ""),
        ("t.csv", TRIPS, {"time": "zone"}, "line 2, column zone: 'Soho' is no time"),
        ("t.csv", "a,b\n1,2,3\n", {}, "line 2: more cells than the 2 columns"),
        ("t.csv", 'a,b\n1,"2\n', {}, ": unexpected end of data"),
        ("t.csv", "a,b\n,2\n", {"time": "a"}, "line 2: nothing in the time column a"),
        ("t.jsonl", "{}\n{\n", {}, "line 2: not JSON"),
        ("t.jsonl", "[1]\n", {}, "line 1: a JSON object is wanted"),
        ("t.txt", "", {}, "say which with --format"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, name: str, text: str, options: dict[str, str], complaint: str
) -> None:
    if not complaint:  # numbers are times, however strange
        assert len(rows_of(tmp_path / name, text, **options)) == 3
        return
    with pytest.raises(ClientError, match=complaint):
        rows_of(tmp_path / name, text, **options)


def test_a_file_that_is_not_text_or_not_there_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    with pytest.raises(ClientError, match="No such file"):
        list(open_recording(path).rows())
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(ClientError, match="is not UTF-8"):
        list(open_recording(path).rows())


cells = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"), max_size=8)


@given(st.lists(st.tuples(cells, cells, st.integers(0, 1 << 40)), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_csv_writer_wrote_comes_back_sorted_and_whole(
    tmp_path: Path, data: list[tuple[str, str, int]]
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("id", "text", "at"))
    writer.writerows((key, text, f"{at}" if at > 1e11 else f"{at / 1000:.3f}") for key, text, at in data)
    path = tmp_path / "any.csv"
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    rows = list(open_recording(path, key="id", time="at").rows())
    assert [row.time_ms for row in rows] == sorted(at for _, _, at in data)
    assert sorted((row.key or b"", msgspec.json.decode(row.value)["text"] or "") for row in rows) == sorted(
        (key.encode(), text) for key, text, _ in data
    )


def test_a_recording_is_replayed_in_its_own_time_divided_by_the_speed() -> None:
    pace = Pace(speed=60)
    assert [pace.due_s(at) for at in (5_000, 65_000, 3_605_000)] == [0, 1, 60]
