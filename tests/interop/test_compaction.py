"""Kafka's dump tool reads what compaction has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from drave.records import Codec
from drave.store.names import INDEX, LOG, TIME_INDEX
from tests.interop.conftest import DumpTool
from tests.log.test_compaction import compact, compacting, put

pytestmark = pytest.mark.slow


def test_every_batch_is_valid_and_the_indexes_agree(tmp_path: Path, dump: DumpTool) -> None:
    still = compacting()
    for number in range(60):
        pairs = [(b"key %d" % (number % 9), b"%d" % number), (b"key %d" % (number % 7), None if number % 5 else b"x")]
        producer = {"producer_id": number, "producer_epoch": 0, "base_sequence": 0} if number < 3 else {}
        put(still, *pairs, codec=Codec(number % 5), **producer)
    compact(still)
    for path, data in still.disk.files().items():
        if path.suffix in (LOG, INDEX, TIME_INDEX):
            (tmp_path / path.name).write_bytes(data)
    logs = sorted(path for path in tmp_path.glob("*.log") if path.stat().st_size)
    read = dump(logs, "--deep-iteration", "--print-data-log", gaps=True)
    assert all(batch.valid for batch in read.batches)
    assert read.offsets == sorted(read.offsets)
    assert 0 < len(read.offsets) < 30
    assert "deleteHorizonMs: OptionalLong[" in read.text
    indexes = sorted(path for path in tmp_path.glob("*index") if path.stat().st_size)
    verified = dump(indexes, "--verify-index-only").text
    assert all(line.startswith("Dumping ") or line.endswith(" is empty.") for line in verified.splitlines()), verified
