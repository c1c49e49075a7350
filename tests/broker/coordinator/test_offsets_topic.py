"""The records of `__consumer_offsets` are Kafka's, byte for byte."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.broker.coordinator.schemas.offsets_topic import (
    GroupKey,
    GroupMetadataValue,
    GroupRecord,
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
    record_key,
)
from drave.schema import SchemaError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
int32s = st.integers(-(1 << 31), (1 << 31) - 1)
int64s = st.integers(-(1 << 63), (1 << 63) - 1)


# Records as a broker of Apache Kafka 4.3.1 wrote them.
OFFSET_RECORD = (
    "00010003636d320002647400000000",
    "00040000000000000005ffffffff026d000001a20506d662010010aeaa82c268aa44d5aaaa7f9911be63a0",
)
EMPTY_GROUP_RECORD = ("000200027374", "00030008636f6e73756d657200000008ffffffff000001a20506fed300000000")
GROUP_RECORD = (
    "000200027374",
    (
        "00030008636f6e73756d657200000006000572616e6765002b696e73742d612d34303537386662662d653539332d343865612d623531612d38"
        "3437353937393736353430000001a20506d73400000002002b696e73742d622d37386238343264382d313835362d343638662d616239392d61"
        "34633738623263303764640006696e73742d620003636964000a2f3132372e302e302e3100004e20000027100000001100000000000200026474"
        "000175ffffffff0000000142002b696e73742d612d34303537386662662d653539332d343865612d623531612d383437353937393736353430"
        "0006696e73742d610003636964000a2f3132372e302e302e3100004e20000027100000000e00000000000100026474ffffffff0000000141"
    ),
)


def test_an_offset_is_kafkas_byte_for_byte() -> None:
    key, value = map(bytes.fromhex, OFFSET_RECORD)
    committed = OffsetCommitValue(
        offset=5,
        metadata="m",
        commit_timestamp=1_795_380_663_906,
        topic_id=bytes.fromhex("aeaa82c268aa44d5aaaa7f9911be63a0"),
    )
    assert (parse_key(key), parse_offset(value)) == (OffsetKey("cm2", "dt", 0), committed)
    assert (offset_key("cm2", "dt", 0), offset_value(committed)) == (key, value)


def test_a_group_is_kafkas_byte_for_byte() -> None:
    for record in (GROUP_RECORD, EMPTY_GROUP_RECORD):
        key, value = map(bytes.fromhex, record)
        assert parse_key(key) == GroupKey(GroupRecord.CLASSIC, "st")
        assert group_key("st") == key
        assert group_value(parse_group(value)) == value
    group = parse_group(bytes.fromhex(GROUP_RECORD[1]))
    assert (group.protocol_type, group.generation, group.protocol) == ("consumer", 6, "range")
    assert [(member.group_instance_id, member.assignment) for member in group.members] == [
        ("inst-b", b"B"),
        ("inst-a", b"A"),
    ]


def test_an_offset_with_a_time_of_expiry_is_written_in_the_version_that_has_one() -> None:
    committed = OffsetCommitValue(offset=42, metadata="", commit_timestamp=1, expire_timestamp=2)
    assert offset_value(committed).hex() == "0001000000000000002a000000000000000000010000000000000002"
    assert parse_offset(offset_value(committed)) == committed


@given(texts, texts, int32s)
def test_the_key_of_an_offset_reads_as_it_was_written(group_id: str, topic: str, partition: int) -> None:
    assert parse_key(offset_key(group_id, topic, partition)) == OffsetKey(group_id, topic, partition)


@given(texts)
def test_the_key_of_a_group_reads_as_it_was_written(group_id: str) -> None:
    assert parse_key(group_key(group_id)) == GroupKey(GroupRecord.CLASSIC, group_id)


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


def test_a_type_that_no_kind_of_group_knows_is_nobodys_key() -> None:
    assert parse_key(b"\0\x18\0\1x") is None


@given(st.sampled_from(GroupRecord), texts, texts)
def test_the_key_of_each_part_of_a_group_reads_as_it_was_written(record: GroupRecord, group_id: str, part: str) -> None:
    part = part if record.has_part else ""
    assert parse_key(record_key(record, group_id, part)) == GroupKey(record, group_id, part)


def test_a_value_of_a_version_that_kafka_has_not_made_yet_is_refused() -> None:
    with pytest.raises(SchemaError):
        parse_offset(b"\0\5" + bytes(20))
