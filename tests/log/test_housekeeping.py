"""What is done for a partition besides appending and reading."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from drave.log import OffsetOutOfRange, StorageError
from drave.log.removal import FileRemoval
from drave.model.ids import Offset
from drave.model.log_config import LogConfig
from drave.store.names import LOG
from tests.log.still import RIDES, Still, batch

ONE_BATCH_EACH = LogConfig(segment_bytes=100)
"""Every batch gets a segment of its own."""


def filled(count: int = 3, **more: object) -> Still:
    still = Still(config=ONE_BATCH_EACH, **more)
    for number in range(count):
        still.append(batch(b"x" * 30, timestamp=number))
    still.commit()
    return still


def segments(still: Still) -> list[str]:
    """The names of the log files that lie on the disk."""
    return sorted(name for name in still.disk.list_folder(still.log.folder) if name.endswith(LOG))


async def settle(still: Still, moved: asyncio.Future[Offset]) -> int:
    """The new start, when everything that follows it has been done."""
    await asyncio.sleep(0)  # the turn of those who wait for it
    still.logs.flush()
    return await moved


async def deleted(still: Still, before: int) -> int:
    moved = still.logs.delete_records(still.log, before)
    still.commit()
    return await settle(still, moved)


async def test_segments_without_records_go_as_soon_as_the_new_start_is_durable() -> None:
    still = filled()
    assert len(segments(still)) == 3
    moved = still.logs.delete_records(still.log, 2)
    assert len(segments(still)) == 3
    still.commit()
    assert await settle(still, moved) == 2
    assert segments(still) == ["00000000000000000002.log"]
    assert still.read(2) == [b"x" * 30]


async def test_the_segment_that_is_being_written_goes_too_when_nothing_in_it_is_left() -> None:
    """Kafka keeps it, with all its bytes."""
    still = filled()
    assert await deleted(still, 3) == 3
    assert segments(still) == ["00000000000000000003.log"]
    assert still.log.size_bytes == 0
    assert still.append().base_offset == 3


async def test_it_stays_while_somebody_writes_to_it() -> None:
    still = filled(1)
    still.append(batch(b"y"))
    moved = still.logs.delete_records(still.log, 1)
    still.append(batch(b"z"))
    still.commit()
    assert await settle(still, moved) == 1
    assert still.read(1) == [b"y", b"z"]


async def test_they_do_not_wait_for_a_checkpoint_when_there_was_one() -> None:
    still = filled()
    still.checkpoint()
    still.logs.delete_records(still.log, 3)
    still.commit()
    await asyncio.sleep(0)
    while isinstance(work := still.logs.flusher.next_chore(), FileRemoval):
        work.run()
        work.finish()
    assert segments(still) == ["00000000000000000003.log"]


async def test_a_new_start_outlives_a_power_cut_once_it_was_told() -> None:
    still = filled()
    moved = still.logs.delete_records(still.log, 2)
    still.commit()
    assert await moved == 2
    still.power_cut()
    assert (still.log.start, still.log.end) == (2, 3)


async def test_a_log_that_begins_there_already_says_so_at_once() -> None:
    still = filled()
    await deleted(still, 2)
    assert await still.logs.delete_records(still.log, 1) == 2


@pytest.mark.parametrize("before", [-1, 4])
async def test_what_is_not_there_cannot_be_deleted(before: int) -> None:
    still = filled()
    with pytest.raises(OffsetOutOfRange):
        still.logs.delete_records(still.log, before)


async def test_whoever_waits_for_a_new_start_hears_that_the_topic_is_gone() -> None:
    still = filled()
    moved = still.logs.delete_records(still.log, 2)
    still.logs.remove_topic(RIDES)
    with pytest.raises(StorageError, match="deleted"):
        await moved


async def test_a_broker_that_stops_begins_no_segment() -> None:
    still = filled()
    moved = still.logs.delete_records(still.log, 3)
    still.logs.flusher.refuse("the broker is stopping")
    still.commit()
    await asyncio.sleep(0)
    assert await moved == 3
    assert len(segments(still)) == 3


async def test_when_no_segment_can_be_begun_the_old_one_stays_for_now(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    still = filled()
    moved = still.logs.delete_records(still.log, 3)
    still.commit()

    def refuse(path: Path, *, create: bool = False) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(still.disk, "open", refuse)
        await asyncio.sleep(0)
    assert "stays for now" in caplog.text
    assert await settle(still, moved) == 3
    assert still.append().base_offset == 3


def test_logs_say_where_they_lie_and_how_much_room_there_is() -> None:
    still = Still()
    still.disk.room_bytes = 1000
    space = still.logs.space()
    assert space.usable_bytes == 1000 < space.total_bytes
    assert still.log.folder.parent == still.logs.folder
