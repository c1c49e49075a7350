"""Leader epochs answer where another broker's writes ended (KIP-101, KIP-320)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.log.epochs import DamagedEpochs, LeaderEpochs


@pytest.fixture
def epochs() -> LeaderEpochs:
    """Epoch 1 wrote 0..9, 3 wrote 10..19, 4 writes from 20 on."""
    return LeaderEpochs([(1, 0), (3, 10), (4, 20)])


@pytest.mark.parametrize(
    ("asked", "answer"),
    [(-1, (-1, -1)), (0, (0, 0)), (1, (1, 10)), (2, (1, 10)), (3, (3, 20)), (4, (4, 25)), (5, (5, 25)), (6, (-1, -1))],
)
def test_the_end_of_an_epoch_is_where_the_next_one_begins(
    epochs: LeaderEpochs, asked: int, answer: tuple[int, int]
) -> None:
    """Epoch 5 leads by now and has written nothing yet."""
    assert epochs.end_of(asked, current=5, end=25) == answer


def test_an_epoch_that_wrote_nothing_leaves_no_trace(epochs: LeaderEpochs) -> None:
    epochs.assign(5, 25)
    epochs.assign(6, 25)
    assert epochs.entries[-1] == (6, 25)
    assert (5, 25) not in epochs.entries


def test_an_epoch_is_assigned_once(epochs: LeaderEpochs) -> None:
    epochs.assign(4, 30)
    epochs.assign(2, 40)
    assert epochs.entries == [(1, 0), (3, 10), (4, 20)]
    assert not epochs.changed


@pytest.mark.parametrize(("offset", "epoch"), [(0, 1), (9, 1), (10, 3), (20, 4), (99, 4)])
def test_every_offset_was_written_in_an_epoch(epochs: LeaderEpochs, offset: int, epoch: int) -> None:
    assert epochs.epoch_at(offset) == epoch


@pytest.mark.parametrize(
    ("end", "left"), [(25, [(1, 0), (3, 10), (4, 20)]), (20, [(1, 0), (3, 10)]), (11, [(1, 0), (3, 10)]), (0, [])]
)
def test_a_cut_takes_the_epochs_that_wrote_only_what_is_gone(
    epochs: LeaderEpochs, end: int, left: list[tuple[int, int]]
) -> None:
    epochs.cut_end(end)
    assert epochs.entries == left


@pytest.mark.parametrize(
    ("start", "left"),
    [(0, [(1, 0), (3, 10), (4, 20)]), (5, [(1, 5), (3, 10), (4, 20)]), (10, [(3, 10), (4, 20)]), (24, [(4, 24)])],
)
def test_a_new_log_start_takes_the_epochs_before_it(
    epochs: LeaderEpochs, start: int, left: list[tuple[int, int]]
) -> None:
    epochs.cut_start(start)
    assert epochs.entries == left


def test_the_file_is_kafkas(epochs: LeaderEpochs) -> None:
    assert epochs.encode() == b"0\n3\n1 0\n3 10\n4 20\n"
    assert LeaderEpochs.decode(epochs.encode()).entries == epochs.entries


@given(st.binary(max_size=60))
def test_garbage_is_refused_or_read(data: bytes) -> None:
    with suppress(DamagedEpochs):
        LeaderEpochs.decode(data)


@pytest.mark.parametrize("data", [b"", b"0\n", b"0\n2\n1 0\n", b"1\n0\n", b"0\n1\n1\n", b"0\n1\n1 0\n2 5\n"])
def test_a_file_that_is_not_whole_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedEpochs):
        LeaderEpochs.decode(data)
