"""Kafka's own tools see streams groups: kafka-streams-groups, and the dump tool in what the log says of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench import reference
from differential.client import Connection
from drave.testing import Broker
from drave.wire.messages.k88_streams_group_heartbeat import KeyValue, StreamsGroupHeartbeatRequest
from tests.broker.coordinator.streams.virtual_streams import WORDS
from tests.clients.adapters import ConfluentKafka
from tests.interop.conftest import DumpTool

pytestmark = pytest.mark.slow


PATIENT = {"group.streams.session.timeout.ms": "600000", "group.streams.max.session.timeout.ms": "600000"}
"""The member says nothing while four Java programs start one after the other, which takes them as long as it takes."""


class Group(NamedTuple):
    """A group with one member, which is a connection of ours."""

    folder: Path
    bootstrap: str
    member: Connection

    def heartbeat(self, epoch: int, **said: Any) -> Any:
        request = StreamsGroupHeartbeatRequest(
            group_id="words", member_id="m", member_epoch=epoch, endpoint_information_epoch=0, **said
        )
        return self.member.answer(self.member.send(request, 0))

    def tool(self, *options: str) -> str:
        """What kafka-streams-groups says."""
        command = reference.java(
            "org.apache.kafka.tools.streams.StreamsGroupCommand", "--bootstrap-server", self.bootstrap, *options
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


@pytest.fixture
def group(tmp_path: Path, dump: DumpTool) -> Iterator[Group]:
    with Broker(tmp_path, durability="fsync", sets=PATIENT) as kafka:
        ConfluentKafka(kafka.bootstrap).create("lines", partitions=2)
        made = Group(tmp_path, kafka.bootstrap, Connection(int(kafka.bootstrap.rpartition(":")[2])))
        joined = made.heartbeat(
            0,
            topology=WORDS,
            rebalance_timeout_ms=60_000,
            process_id="process",
            client_tags=[KeyValue(key="zone", value="north")],
            active_tasks=[],
            standby_tasks=[],
            warmup_tasks=[],
        )
        assert joined.member_epoch == 2, joined
        yield made
        made.member.close()


def test_kafkas_tool_lists_describes_and_deletes_a_streams_group(group: Group) -> None:
    assert group.tool("--list", "--state").split()[-2:] == ["words", "Stable"]
    members = group.tool("--describe", "--group", "words", "--members", "--verbose")
    assert "ACTIVE: 0:[0,1]; 1:[0,1]; TARGET-ACTIVE: 0:[0,1]; 1:[0,1]" in members, members
    assert "process" in members
    offsets = group.tool("--describe", "--group", "words", "--offsets")
    assert all(topic in offsets for topic in ("lines", "by-word"))
    assert "is not EMPTY" in group.tool("--delete", "--group", "words")
    group.heartbeat(-1)
    assert "successful" in group.tool("--delete", "--group", "words")


def test_the_offsets_decoder_reads_each_kind_of_record_of_a_streams_group(group: Group, dump: DumpTool) -> None:
    segments = [path for path in group.folder.glob("topics/__consumer_offsets-*/*.log") if path.stat().st_size]
    read = dump(segments, "--offsets-decoder")
    keys = [
        json.loads(line.partition(" key: ")[2].partition(" payload: ")[0])
        for line in read.text.splitlines()
        if " payload: " in line
    ]
    found = {int(key["type"]): json.loads(value)["data"] for key, value in zip(keys, read.payloads, strict=True)}
    assert found.keys() == {17, 19, 20, 21, 22, 23}
    assert (found[17]["epoch"], found[17]["validatedTopologyEpoch"]) == (2, 0)
    assert (found[19]["processId"], found[19]["clientTags"]) == ("process", [{"key": "zone", "value": "north"}])
    assert found[20]["assignmentEpoch"] == 2
    assert found[21]["activeTasks"] == [{"subtopologyId": name, "partitions": [0, 1]} for name in "01"]
    assert [each["assignmentEpochs"] for each in found[22]["activeTasks"]] == [[2, 2], [2, 2]]
    assert [each["subtopologyId"] for each in found[23]["subtopologies"]] == ["0", "1"]
