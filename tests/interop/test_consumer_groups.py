"""Consumer groups (KIP-848) as Kafka's own tools see them: the dump tool reads what is kept of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from differential.client import Connection
from drave.testing import Broker
from drave.wire.messages.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from tests.clients.adapters import ConfluentKafka
from tests.interop.conftest import DumpTool

pytestmark = pytest.mark.slow


def test_the_offsets_decoder_reads_each_kind_of_record_of_a_consumer_group(tmp_path: Path, dump: DumpTool) -> None:
    with Broker(tmp_path, durability="fsync") as kafka:
        ConfluentKafka(kafka.bootstrap).create("rides", partitions=2)
        member = Connection(int(kafka.bootstrap.rpartition(":")[2]))
        request = ConsumerGroupHeartbeatRequest(
            group_id="readers",
            member_id="a",
            member_epoch=0,
            instance_id="i",
            rebalance_timeout_ms=60_000,
            subscribed_topic_names=["rides"],
            subscribed_topic_regex="rid.*",
            server_assignor="range",
            topic_partitions=[],
        )
        answer = member.answer(member.send(request, 1))
        assert answer.member_epoch == 2, answer
        member.close()
    segments = [path for path in tmp_path.glob("topics/__consumer_offsets-*/*.log") if path.stat().st_size]
    read = dump(segments, "--offsets-decoder")
    keys = [
        json.loads(line.partition(" key: ")[2].partition(" payload: ")[0])
        for line in read.text.splitlines()
        if " payload: " in line
    ]
    found = {int(key["type"]): json.loads(value)["data"] for key, value in zip(keys, read.payloads, strict=True)}
    assert found.keys() == {3, 5, 6, 7, 8, 16}
    assert found[3]["epoch"] == 2
    assert (found[5]["instanceId"], found[5]["subscribedTopicNames"], found[5]["serverAssignor"]) == (
        "i",
        ["rides"],
        "range",
    )
    assert found[6]["assignmentEpoch"] == 2
    assert [each["partitions"] for each in found[7]["topicPartitions"]] == [[0, 1]]
    assert [each["assignmentEpochs"] for each in found[8]["assignedPartitions"]] == [[2, 2]]
    assert found[16]["topics"] == ["rides"]
