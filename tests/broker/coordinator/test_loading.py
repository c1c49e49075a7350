"""What a coordinator takes from its log: of each key the last record that counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drave.broker.coordinator.loading import LatestRecords
from drave.records import ControlKind, build_batch, control_batch, parse_header

Pairs = list[tuple[bytes, bytes | None]]


class Log:
    """Batches with the offsets that a partition would give them."""

    def __init__(self) -> None:
        self.latest = LatestRecords()
        self.end = 0

    def append(self, *records: tuple[bytes, bytes | None], producer_id: int = -1) -> None:
        transactional = producer_id >= 0
        epoch = 0 if transactional else -1
        self._take(
            build_batch(
                records,
                base_offset=self.end,
                producer_id=producer_id,
                producer_epoch=epoch,
                base_sequence=epoch,
                transactional=transactional,
            )
        )

    def finish(self, producer_id: int, kind: ControlKind) -> None:
        self._take(control_batch(kind, producer_id, 0, 0, 0, base_offset=self.end))

    def _take(self, batch: bytes) -> None:
        header = parse_header(batch)
        self.end = header.last_offset + 1
        self.latest.take(header, batch)

    def read(self) -> Pairs:
        return list(self.latest)


def test_of_each_key_the_last_record_is_given_in_the_order_of_the_log() -> None:
    log = Log()
    log.append((b"a", b"1"), (b"b", b"1"))
    log.append((b"a", b"2"))
    assert log.read() == [(b"b", b"1"), (b"a", b"2")]


def test_a_record_that_was_taken_back_is_not_given_nor_what_took_it_back() -> None:
    log = Log()
    log.append((b"a", b"1"), (b"b", b"1"))
    log.append((b"a", None))
    assert log.read() == [(b"b", b"1")]


def test_records_of_a_transaction_count_when_it_has_committed() -> None:
    log = Log()
    log.append((b"a", b"1"))
    log.append((b"a", b"2"), producer_id=7)
    log.append((b"b", b"2"), producer_id=8)
    assert log.read() == [(b"a", b"1")]
    log.finish(7, ControlKind.COMMIT)
    log.finish(8, ControlKind.ABORT)
    assert log.read() == [(b"a", b"2")]


def test_a_record_that_came_after_a_transactions_own_stays() -> None:
    """As in Kafka: the offset of the record decides, not that of the marker."""
    log = Log()
    log.append((b"a", b"in the transaction"), producer_id=7)
    log.append((b"a", b"later"))
    log.finish(7, ControlKind.COMMIT)
    assert log.read() == [(b"a", b"later")]


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.none() | st.binary(max_size=3)), max_size=30))
def test_the_records_given_replay_to_the_same_state_as_all(records: Pairs) -> None:
    log = Log()
    for record in records:
        log.append(record)
    assert dict(log.read()) == {key: value for key, value in dict(records).items() if value is not None}
