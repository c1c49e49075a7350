"""Kafka's dump tool reads what Drave has written: segments, indexes, producer snapshots and group metadata."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from differential.client import Connection, key_of
from drave.log import Logs
from drave.model.ids import TopicId
from drave.model.log_config import LogConfig
from drave.model.storage_settings import StorageSettings
from drave.model.system import SystemClock
from drave.records import ControlKind, parse_header
from drave.store.disk import RealDisk
from drave.testing import Broker
from drave.wire.api import API
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatRequest
from drave.wire.messages.k91_alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
)
from tests.clients.adapters import AioKafka, ConfluentKafka, Send
from tests.clients.test_transactions import producer as transactional_producer
from tests.interop.conftest import DumpTool
from tests.log.still import batch
from tests.log.world import Topic

pytestmark = pytest.mark.slow

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
PER_CODEC = 400


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which each codec was written, segments rolled, and a group committed."""
    folder = tmp_path_factory.mktemp("drave")
    with Broker(folder, durability="fsync") as kafka:
        client, small_batches = ConfluentKafka(kafka.bootstrap), AioKafka(kafka.bootstrap)
        client.create("rides", segment_bytes="1048576")
        for codec in CODECS:
            sent = [Send(b"%s %d " % (codec.encode(), n) * 300, b"key", (("h", b"x"),)) for n in range(PER_CODEC)]
            small_batches.produce("rides", sent, codec=codec)
            client.produce("rides", sent, codec=codec, idempotent=True)
        client.consume_in_group("rides", 100, group="pricing")
    return folder / "topics"


def test_every_batch_is_valid_and_every_record_is_there_in_order(data: Path, dump: DumpTool) -> None:
    segments = sorted((data / "rides-0").glob("*.log"))
    assert len(segments) > 1, "the log has rolled"
    read = dump(segments, "--deep-iteration", "--print-data-log")
    assert all(batch.valid for batch in read.batches)
    assert read.offsets == list(range(2 * len(CODECS) * PER_CODEC))
    assert {batch.codec for batch in read.batches} == set(CODECS)
    assert {batch.producer_id >= 0 for batch in read.batches} == {True, False}
    assert [payload.split()[0] for payload in read.payloads[:: 2 * PER_CODEC]] == list(CODECS)


def test_the_indexes_agree_with_their_segments(data: Path, dump: DumpTool) -> None:
    """`--verify-index-only` prints each entry that points anywhere but at a batch."""
    folder = data / "rides-0"
    offset_indexes, time_indexes = sorted(folder.glob("*.index")), sorted(folder.glob("*.timeindex"))
    assert any(index.stat().st_size for index in offset_indexes), "there are entries to look at"
    assert any(index.stat().st_size for index in time_indexes)
    sane = dump(offset_indexes + time_indexes, "--index-sanity-check").text
    verdicts = [line for line in sane.splitlines() if not line.startswith("Dumping ")]
    assert len(verdicts) == len(offset_indexes + time_indexes)
    assert all(line.endswith(("passed sanity check.", "is empty.")) for line in verdicts), sane
    verified = dump(offset_indexes + time_indexes, "--verify-index-only").text
    assert all(line.startswith("Dumping ") or line.endswith(" is empty.") for line in verified.splitlines()), verified


def test_producer_snapshots_name_the_producers(data: Path, dump: DumpTool) -> None:
    snapshots = sorted((data / "rides-0").glob("*.snapshot"))
    assert snapshots, "a clean stop leaves a snapshot"
    text = dump(snapshots[-1:]).text
    assert text.count("producerId: ") == len(CODECS)
    assert f"lastSequence: {PER_CODEC - 1}" in text


def test_transactions_and_the_index_of_the_aborted_ones_are_read(tmp_path: Path, dump: DumpTool) -> None:
    """Markers, the index, and the producers with what is open: as Kafka would have written them."""
    rides = Topic("rides", TopicId(bytes(15) + b"1"), 1, LogConfig())
    logs = Logs.open(tmp_path, disk=RealDisk(), clock=SystemClock(), settings=StorageSettings(), topics=[rides])
    log = logs.partition(rides.topic_id, 0)
    assert log is not None
    for producer in (1, 2, 3):
        data = batch(producer=producer, epoch=0, sequence=0, transactional=True)
        log.append(data, parse_header(data), now_ms=1000)
    log.append_marker(ControlKind.ABORT, 1, 0, 5, now_ms=1000, transaction_version=1)
    log.append_marker(ControlKind.COMMIT, 2, 1, 5, now_ms=1000, transaction_version=2)
    asyncio.run(logs.close())
    folder = tmp_path / "topics" / "rides-0"
    index = dump(folder.glob("*.txnindex")).text
    assert index.splitlines()[-1] == "version: 0 producerId: 1 firstOffset: 0 lastOffset: 3 lastStableOffset: 1"
    segment = dump(folder.glob("*.log"), "--deep-iteration").text
    assert "endTxnMarker: ABORT coordinatorEpoch: 5" in segment
    assert "endTxnMarker: COMMIT coordinatorEpoch: 5" in segment
    producers = dump(folder.glob("*.snapshot")).text
    assert "producerId: 3 producerEpoch: 0 coordinatorEpoch: -1 currentTxnFirstOffset: OptionalLong[2]" in producers
    assert "producerId: 2 producerEpoch: 1 coordinatorEpoch: 5 currentTxnFirstOffset: OptionalLong.empty" in producers


def test_the_offsets_decoder_reads_groups_and_offsets(data: Path, dump: DumpTool) -> None:
    """`__consumer_offsets` is in Kafka's own record formats."""
    segments = [path for path in sorted(data.glob("__consumer_offsets-*/*.log")) if path.stat().st_size]
    read = dump(segments, "--offsets-decoder")
    assert all(batch.valid for batch in read.batches)
    records = [line for line in read.text.splitlines() if " payload: " in line]
    keys = [json.loads(line.partition(" key: ")[2].partition(" payload: ")[0]) for line in records]
    values = [json.loads(payload) for payload in read.payloads]
    assert len(keys) == len(values) > 0
    groups = [value["data"] for key, value in zip(keys, values, strict=True) if key["type"] == "2" and value]
    offsets = [(key["data"], value["data"]) for key, value in zip(keys, values, strict=True) if key["type"] == "1"]
    assert [member["subscription"]["topics"] for group in groups for member in group["members"]][-1:] == [["rides"]]
    where, committed = offsets[-1]
    assert (where["group"], where["topic"], where["partition"]) == ("pricing", "rides", 0)
    assert committed["offset"] == 100


def test_the_transaction_log_decoder_reads_transactions(tmp_path: Path, dump: DumpTool) -> None:
    """`__transaction_state` is in Kafka's own record formats too."""
    with Broker(tmp_path, durability="fsync") as kafka:
        ConfluentKafka(kafka.bootstrap).create("rides")
        made = transactional_producer(kafka.bootstrap, "tx")
        made.begin_transaction()
        made.produce("rides", "value", partition=0)
        made.commit_transaction(100)
        # a commit is answered when it is decided; the next producer of the id is let in when it is complete
        transactional_producer(kafka.bootstrap, "tx")
    segments = [path for path in tmp_path.glob("topics/__transaction_state-*/*.log") if path.stat().st_size]
    read = dump(segments, "--transaction-log-decoder")
    assert all(batch.valid for batch in read.batches)
    records = [line for line in read.text.splitlines() if " payload: " in line]
    assert all('"transactionalId":"tx"' in line for line in records)
    values = [json.loads(payload)["data"] for payload in read.payloads]
    assert [value["transactionStatus"] for value in values] == [0, 1, 2, 4, 0]
    partitions = [{"topic": "rides", "partitionIds": [0]}]
    assert [value["transactionPartitions"] for value in values] == [None, partitions, partitions, [], None]


def test_the_decoders_read_share_groups_and_how_far_they_have_come(tmp_path: Path, dump: DumpTool) -> None:
    """KIP-932: who is in them lies in `__consumer_offsets`, the state of share-partitions in `__share_group_state`."""
    with Broker(tmp_path, durability="fsync") as kafka:
        ConfluentKafka(kafka.bootstrap).create("rides")
        connection = Connection(int(kafka.bootstrap.rpartition(":")[2]))
        start = AlterShareGroupOffsetsRequestPartition(partition_index=0, start_offset=7)
        topics = [AlterShareGroupOffsetsRequestTopic(topic_name="rides", partitions=[start])]
        for request in (
            AlterShareGroupOffsetsRequest(group_id="queue", topics=topics),
            ShareGroupHeartbeatRequest(
                group_id="queue", member_id="m", member_epoch=0, subscribed_topic_names=["rides"]
            ),
        ):
            assert connection.answer(connection.send(request, API[key_of(type(request))].versions[1])).error_code == 0
        connection.close()
    members = _decoded(tmp_path, "__consumer_offsets", dump, "--offsets-decoder")
    assert members.keys() == {"10", "11", "12", "13", "14", "15"}
    assert members["10"]["subscribedTopicNames"] == ["rides"]
    assert members["14"]["assignedPartitions"][0]["partitions"] == [0]
    assert members["15"]["initializedTopics"][0]["topicName"] == "rides"
    state = _decoded(tmp_path, "__share_group_state", dump, "--share-group-state-decoder")
    assert state["0"]["startOffset"] == 7


def _decoded(folder: Path, topic: str, dump: DumpTool, decoder: str) -> dict[str, Any]:
    """The last value of each type of record in an internal topic."""
    segments = [path for path in sorted(folder.glob(f"topics/{topic}-*/*.log")) if path.stat().st_size]
    read = dump(segments, decoder)
    assert all(batch.valid for batch in read.batches)
    records = [line for line in read.text.splitlines() if " payload: " in line]
    keys = [json.loads(line.partition(" key: ")[2].partition(" payload: ")[0]) for line in records]
    values = [json.loads(payload) for payload in read.payloads]
    return {key["type"]: value["data"] for key, value in zip(keys, values, strict=True) if value is not None}
