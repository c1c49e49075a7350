"""The records of `__consumer_offsets` are Kafka's, byte for byte."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.broker.coordinator.schemas.offsets_topic import (
    GroupKey,
    GroupMetadataValue,
    MemberMetadata,
    OffsetCommitValue,
    OffsetKey,
    group_key,
    group_value,
    offset_key,
    offset_value,
    parse_group,
    parse_key,
    parse_offset,
)
from drave.schema import SchemaError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
int32s = st.integers(-(1 << 31), (1 << 31) - 1)
int64s = st.integers(-(1 << 63), (1 << 63) - 1)


def test_the_bytes_of_an_offset_are_those_that_kafka_4_writes() -> None:
    """Taken from the segment of a broker of Apache Kafka 4.3.1."""
    assert offset_key("g1", "t", 3).hex() == "00010002673100017400000003"
    committed = OffsetCommitValue(
        offset=42, leader_epoch=7, metadata="m", commit_timestamp=1_700_000_000_000, topic_id=bytes(range(16))
    )
    assert offset_value(committed).hex() == (
        "0004000000000000002a00000007026d0000018bcfe56800010010000102030405060708090a0b0c0d0e0f"
    )


def test_an_offset_with_a_time_of_expiry_is_written_in_the_version_that_has_one() -> None:
    committed = OffsetCommitValue(offset=42, metadata="", commit_timestamp=1, expire_timestamp=2)
    assert offset_value(committed).hex() == "0001000000000000002a000000000000000000010000000000000002"
    assert parse_offset(offset_value(committed)) == committed


def test_the_bytes_of_a_group_are_those_that_kafka_4_writes() -> None:
    assert group_key("g1").hex() == "000200026731"
    empty = GroupMetadataValue(
        protocol_type="consumer", generation=2, protocol=None, leader=None, current_state_timestamp=5, members=[]
    )
    assert group_value(empty).hex() == ("00030008636f6e73756d657200000002ffffffff000000000000000500000000")


@given(texts, texts, int32s)
def test_the_key_of_an_offset_reads_as_it_was_written(group_id: str, topic: str, partition: int) -> None:
    assert parse_key(offset_key(group_id, topic, partition)) == OffsetKey(group_id, topic, partition)


@given(texts)
def test_the_key_of_a_group_reads_as_it_was_written(group_id: str) -> None:
    assert parse_key(group_key(group_id)) == GroupKey(group_id)


@given(int64s, int32s, texts, int64s, st.binary(min_size=16, max_size=16))
def test_an_offset_reads_as_it_was_written(
    offset: int, leader_epoch: int, note: str, committed_ms: int, topic_id: bytes
) -> None:
    committed = OffsetCommitValue(
        offset=offset, leader_epoch=leader_epoch, metadata=note, commit_timestamp=committed_ms, topic_id=topic_id
    )
    assert parse_offset(offset_value(committed)) == committed


members = st.builds(
    MemberMetadata,
    member_id=texts,
    group_instance_id=st.none() | texts,
    client_id=texts,
    client_host=texts,
    rebalance_timeout=int32s,
    session_timeout=int32s,
    subscription=st.binary(max_size=50),
    assignment=st.binary(max_size=50),
)


@given(texts, int32s, st.none() | texts, st.none() | texts, int64s, st.lists(members, max_size=4))
def test_a_group_reads_as_it_was_written(
    protocol_type: str,
    generation: int,
    protocol: str | None,
    leader: str | None,
    since_ms: int,
    in_it: list[MemberMetadata],
) -> None:
    group = GroupMetadataValue(
        protocol_type=protocol_type,
        generation=generation,
        protocol=protocol,
        leader=leader,
        current_state_timestamp=since_ms,
        members=in_it,
    )
    assert parse_group(group_value(group)) == group


@given(st.binary(max_size=60))
def test_garbage_is_nothing_worse_than_a_schema_error(garbage: bytes) -> None:
    for parse in (parse_key, parse_offset, parse_group):
        with suppress(SchemaError):
            parse(garbage)


def test_a_type_that_is_not_of_classic_groups_is_nobodys_key() -> None:
    assert parse_key(b"\0\3\0\1x") is None


def test_a_value_of_a_version_that_kafka_has_not_made_yet_is_refused() -> None:
    with pytest.raises(SchemaError):
        parse_offset(b"\0\5" + bytes(20))
