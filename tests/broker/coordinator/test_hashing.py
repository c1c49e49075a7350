"""A group lives where Kafka would keep it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.broker.coordinator.hashing import java_hash, partition_for


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0),
        ("a", 97),
        ("hello", 99162322),
        ("polygenelubricants", -2147483648),
        ("group-é", 293427483),
        ("\N{PILE OF POO}", 1772556),
    ],
)
def test_the_hash_is_javas(text: str, value: int) -> None:
    assert java_hash(text) == value


def test_the_number_without_a_positive_counterpart_is_partition_0() -> None:
    assert partition_for("polygenelubricants", 50) == 0


def test_a_negative_hash_counts_by_its_absolute_value() -> None:
    """Kafka's `Utils.abs`, which is not the same as clearing the sign."""
    assert java_hash("my-group") == -1906497762
    assert partition_for("my-group", 50) == 1906497762 % 50


@given(st.text(), st.integers(1, 10_000))
def test_every_group_has_a_partition(group_id: str, partitions: int) -> None:
    assert 0 <= partition_for(group_id, partitions) < partitions
