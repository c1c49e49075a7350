"""The markers that end a transaction."""

from __future__ import annotations

import pytest
from aiokafka.record.control_record import ABORT_MARKER, COMMIT_MARKER, ControlRecord
from hypothesis import given
from hypothesis import strategies as st

from drave.records import ControlKind, InvalidRecord, Record, control_batch, parse_control, parse_header, read_records

MARKERS = {ControlKind.ABORT: ABORT_MARKER, ControlKind.COMMIT: COMMIT_MARKER}


@given(
    kind=st.sampled_from(ControlKind),
    producer_id=st.integers(0, 1 << 60),
    epoch=st.integers(0, 32_767),
    coordinator_epoch=st.integers(-1, 1 << 30),
)
def test_a_marker_says_how_the_transaction_ended(
    kind: ControlKind, producer_id: int, epoch: int, coordinator_epoch: int
) -> None:
    batch = control_batch(kind, producer_id, epoch, coordinator_epoch, 5_000, base_offset=3, leader_epoch=1)
    header = parse_header(batch)
    assert header.is_control
    assert header.is_transactional
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (producer_id, epoch, -1)
    (record,) = read_records(batch, header)
    assert (record.offset, record.timestamp) == (3, 5_000)
    marker = parse_control(record)
    assert (marker.kind, marker.coordinator_epoch) == (kind, coordinator_epoch)
    assert ControlRecord.parse(record.key) == MARKERS[kind]


def test_the_bytes_are_those_of_kafka_s_schemas() -> None:
    (record,) = read_records(control_batch(ControlKind.COMMIT, 1, 0, 9, 0))
    assert (record.key, record.value) == (b"\0\0\0\1", b"\0\0\0\0\0\x09")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"\0" * 6),
        (b"\0" * 4, None),
        (b"\0" * 3, b"\0" * 6),
        (b"\0" * 4, b"\0" * 5),
        (b"\0\0\0\2", b"\0" * 6),  # a leader change, which only a quorum's own log holds
        (b"\xff\xff\0\0", b"\0" * 6),
    ],
)
def test_a_record_that_is_no_marker_is_refused(key: bytes | None, value: bytes | None) -> None:
    with pytest.raises(InvalidRecord):
        parse_control(Record(0, 0, key, value))
