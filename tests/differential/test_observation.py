"""What an eye sees of an answer: all that a client may rely on, and nothing that differs from run to run."""

from __future__ import annotations

import time
import uuid
from typing import Any

from differential.observation import Eye
from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.records import build_batch
from drave.wire.messages.k01_fetch import FetchableTopicResponse, FetchResponse, PartitionData
from drave.wire.messages.k03_metadata import MetadataResponse, MetadataResponseBroker, MetadataResponseTopic
from drave.wire.messages.k11_join_group import JoinGroupResponse, JoinGroupResponseMember
from drave.wire.messages.k16_list_groups import ListedGroup, ListGroupsResponse
from drave.wire.messages.k22_init_producer_id import InitProducerIdResponse

LONG_AGO_MS = 1_600_000_000_000


def _eye() -> Eye:
    return Eye("x00001-", "127.0.0.1", 9092)


def _fetched(records: bytes) -> FetchResponse:
    data = PartitionData(partition_index=0, high_watermark=1, records=records)
    return FetchResponse(responses=[FetchableTopicResponse(topic="x00001-a", partitions=[data])])


def _batches(records: bytes) -> list[Any]:
    seen = _eye().see(_fetched(records), 4)
    return list(seen["responses"][0]["partitions"][0]["records"])


def test_names_ports_and_clusters_are_the_same_everywhere() -> None:
    broker = MetadataResponseBroker(node_id=1, host="127.0.0.1", port=9092)
    topic = MetadataResponseTopic(name="x00001-rides", partitions=[])
    seen = _eye().see(MetadataResponse(brokers=[broker], topics=[topic], cluster_id="abc"), 8)
    assert seen["brokers"] == [{"node_id": 1, "host": "HOST", "port": "PORT"}]
    assert seen["cluster_id"] == "CLUSTER"
    assert seen["topics"] == [{"name": "rides", "partitions": []}]


def test_the_same_id_is_the_same_symbol_and_another_id_is_another() -> None:
    ids = [TopicId(uuid.uuid4().bytes) for _ in range(2)]
    topics = [
        MetadataResponseTopic(name=name, topic_id=id_, partitions=[]) for name, id_ in zip("ab", ids, strict=True)
    ]
    eye = _eye()
    for _ in range(2):
        seen = eye.see(MetadataResponse(brokers=[], topics=topics), 12)
        assert [topic["topic_id"] for topic in seen["topics"]] == ["uuid#1", "uuid#2"]


def test_symbols_do_not_depend_on_the_order_in_which_a_broker_lists() -> None:
    members = [
        JoinGroupResponseMember(member_id=f"client-{uuid.uuid4()}", metadata=metadata) for metadata in (b"1", b"2")
    ]
    answers = [
        JoinGroupResponse(leader="", member_id="", protocol_name="", members=order)
        for order in (members, members[::-1])
    ]
    first, second = (_eye().see(answer, 0) for answer in answers)
    assert first == second
    assert [member["member_id"] for member in first["members"]] == ["client-member#1", "client-member#2"]


def test_producer_ids_that_a_broker_gave_are_symbols_and_others_are_themselves() -> None:
    eye = _eye()
    assert eye.see(InitProducerIdResponse(producer_id=77, producer_epoch=0), 0)["producer_id"] == "producer#1"
    for producer_id, shown in ((77, "producer#1"), (900_001, 900_001)):
        batch = build_batch([(None, b"")], producer_id=producer_id, producer_epoch=0, base_sequence=0)
        seen = eye.see(_fetched(batch), 4)
        assert seen["responses"][0]["partitions"][0]["records"][0]["producer"] == [shown, 0]


def test_times_of_now_are_now_and_times_of_long_ago_are_compared() -> None:
    now_ms = int(time.time() * 1000)
    (batch,) = _batches(build_batch([(None, b"")], timestamp_ms=now_ms))
    assert batch["times"] == ["now", "now"]
    (batch,) = _batches(build_batch([(None, b"")], timestamp_ms=LONG_AGO_MS))
    assert batch["times"] == [LONG_AGO_MS, LONG_AGO_MS]


def test_a_batch_that_is_cut_off_is_not_seen() -> None:
    batch = build_batch([(b"k", b"v")])
    assert len(_batches(batch + batch[:-1])) == 1


def test_fields_that_a_version_does_not_have_and_defaults_are_left_out() -> None:
    assert _eye().see(ListGroupsResponse(groups=[]), 5) == {"groups": []}
    answer = ListGroupsResponse(error_code=ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, groups=[])
    assert _eye().see(answer, 5)["error_code"] == "COORDINATOR_LOAD_IN_PROGRESS"


def test_of_a_list_of_everything_only_what_is_mine_is_seen() -> None:
    groups = [ListedGroup(group_id=name, protocol_type="") for name in ("x00001-a", "x00002-a", "")]
    seen = _eye().see(ListGroupsResponse(groups=groups), 3, mine=True)
    assert [group["group_id"] for group in seen["groups"]] == ["a"]
