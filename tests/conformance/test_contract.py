"""The contract that drivers in five languages share: its records, and the lines that a driver prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import contract
from conformance.clients import CLIENTS, LINES, ROOT, TOOLS, WHOLE
from conformance.contract import NotTheContract, Outcome, Shape

NUMBERS = st.integers(min_value=0, max_value=contract.RECORDS - 1)
CONSTANTS = {
    "PARTITIONS": contract.PARTITIONS,
    "RECORDS": contract.RECORDS,
    "HALF": contract.HALF,
    "CUT": contract.CUT,
    "FIRST_TIMESTAMP": contract.FIRST_TIMESTAMP,
    "STEP_MS": contract.STEP_MS,
    "LARGE_BYTES": contract.LARGE_BYTES,
}


@given(NUMBERS)
def test_no_record_is_without_key_and_value(number: int) -> None:
    """aiokafka and kafka-python refuse to send such a one."""
    written = contract.record("t", 0, number)
    assert written.key is not None or written.value is not None


def test_the_records_of_a_partition_are_of_all_kinds() -> None:
    written = WHOLE.records("t", 1, large=True)
    assert len(written) == contract.RECORDS
    assert {each.key for each in written} > {None}
    assert {None, b""} < {each.value for each in written}
    assert {each.headers for each in written} > {()}
    assert [each.timestamp for each in written] == sorted({each.timestamp for each in written})
    assert max(len(each.value or b"") for each in written) > contract.LARGE_BYTES


@given(NUMBERS, st.sampled_from([LINES, TOOLS]))
def test_a_shape_changes_only_what_its_client_cannot_write(number: int, shape: Shape) -> None:
    whole, nearest = contract.record("t", 0, number), shape.record("t", 0, number)
    assert nearest.timestamp == -1
    assert nearest.headers == (whole.headers if shape.headers else ())
    assert nearest.value == whole.value or (not shape.nulls and not whole.value and nearest.value)
    assert nearest.key == whole.key or (not shape.nulls and whole.key is None and nearest.key)


@pytest.mark.parametrize("file", ["go/contract/record.go", "kafkajs/contract.js", "java/src/conformance/Contract.java"])
def test_every_language_has_the_same_numbers(file: str) -> None:
    text = (ROOT / file).read_text()
    found = re.findall(r"(\w+) *= *([\d_]+)L?;?\s*$", text, re.MULTILINE)
    numbers = {name.replace("_", "").upper(): int(number) for name, number in found}
    for name, number in CONSTANTS.items():
        assert numbers[name.replace("_", "")] == number, name


def test_no_lock_file_names_where_its_packages_were_fetched() -> None:
    for file in (path for path in ROOT.rglob("*") if path.suffix in {".json", ".sum", ".mod"}):
        assert not re.search(r"https?://|\"resolved\"", file.read_text()), file


def test_the_lines_of_a_driver_are_its_outcomes() -> None:
    lines = ["a client's own words\n", '{"scenario": "gzip", "ok": true, "detail": ""}\n']
    assert list(contract.outcomes(iter(lines))) == [Outcome("gzip", True)]


@pytest.mark.parametrize(
    "said",
    [
        {"scenario": "gzip"},
        {"scenario": "brotli", "ok": True},
        {"scenario": "gzip", "ok": "yes"},
        {"scenario": "gzip", "ok": False},
        {"scenario": "gzip", "ok": None, "detail": ""},
        ["gzip", True],
    ],
    ids=[
        "no outcome",
        "no such scenario",
        "neither yes nor no",
        "a failure unexplained",
        "a gap unexplained",
        "a list",
    ],
)
def test_what_no_driver_may_print_is_refused(said: object) -> None:
    with pytest.raises(NotTheContract):
        contract.parse(json.dumps(said))


def test_half_a_line_is_refused() -> None:
    with pytest.raises(NotTheContract):
        contract.parse('{"scenario": "gz')


def test_every_client_has_a_name_of_its_own_and_a_driver_that_is_there() -> None:
    names = [client.name for client in CLIENTS]
    assert len(set(names)) == len(names)
    for folder in ("python", "kcat", "tools", "java", "go/franz_go", "go/sarama", "go/kafka_go", "kafkajs"):
        assert any(Path(ROOT, folder).iterdir()), folder
