"""Keys lie where Kafka's clients look for them, and somebody is told when they do not."""

from __future__ import annotations

import logging
import warnings
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.streams.placement import LOOKED_AT, PlacementWatch, murmur2, partition_of
from drave.streams.testing.cluster import StoredRecord

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # kafka-python's own imports
    from kafka.partitioner.default import murmur2 as peers

PARTITIONS = 6


@given(st.binary(max_size=50))
def test_a_key_has_the_hash_that_another_client_gives_it(key):
    assert murmur2(key) & 0xFFFFFFFF == peers(key) & 0xFFFFFFFF


def _record(key: bytes | None, partition: int) -> StoredRecord:
    return StoredRecord(("zones", partition), 0, key, b"", 0, ())


def test_keys_that_lie_where_they_belong_are_no_news(caplog):
    watch = PlacementWatch()
    for number in range(50):
        key = b"zone-%d" % number
        watch.look(_record(key, partition_of(key, PARTITIONS)), PARTITIONS)
    watch.look(_record(None, 3), PARTITIONS)
    assert not caplog.records


def _astray(placed_at: int) -> bytes:
    """A key that librdkafka's default puts there, and Java elsewhere."""
    keys = (b"zone-%d" % number for number in range(1000))
    return next(key for key in keys if zlib.crc32(key) % PARTITIONS == placed_at != partition_of(key, PARTITIONS))


def test_a_producer_with_librdkafkas_default_is_told_what_to_set_once(caplog):
    watch = PlacementWatch()
    for partition in range(PARTITIONS):
        watch.look(_record(_astray(partition), partition), PARTITIONS)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert 'partitioner="murmur2_random"' in record.getMessage()
    assert record.getMessage().startswith("zones: ")


def test_a_partition_chosen_by_hand_points_to_group_by(caplog):
    key = _astray(2)
    elsewhere = next(at for at in range(PARTITIONS) if at not in (2, partition_of(key, PARTITIONS)))
    PlacementWatch().look(_record(key, elsewhere), PARTITIONS)
    assert "group_by()" in caplog.records[0].getMessage()


@pytest.mark.parametrize("looked_at", [LOOKED_AT, LOOKED_AT - 1])
def test_only_the_first_records_of_a_place_are_looked_at(caplog, looked_at):
    watch = PlacementWatch()
    key = _astray(2)
    good = next(k for k in (b"%d" % number for number in range(100)) if partition_of(k, PARTITIONS) == 2)
    for _ in range(looked_at):
        watch.look(_record(good, 2), PARTITIONS)
    watch.look(_record(key, 2), PARTITIONS)
    assert len(caplog.records) == (looked_at < LOOKED_AT)
