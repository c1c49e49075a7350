"""Consumer groups (KIP-848): what members are told, and when."""

from __future__ import annotations

from tests.broker.coordinator.virtual_consumers import VirtualConsumers


def all_of(topic: str, partitions: int) -> set[tuple[str, int]]:
    return {(topic, partition) for partition in range(partitions)}


def test_the_first_member_is_given_everything_by_the_answer_to_its_join() -> None:
    groups = VirtualConsumers({"rides": 4})
    member = groups.member("a", "rides")
    answer = member.join()
    assert (answer.error_code, answer.member_id, answer.member_epoch, answer.heartbeat_interval_ms) == (0, "a", 1, 5000)
    assert member.reads == all_of("rides", 4)
    assert groups.described_consumers().group_state == "Stable"


def test_who_comes_second_is_given_what_the_first_has_said_it_gave_back() -> None:
    groups = VirtualConsumers({"rides": 4})
    first, second = groups.member("a", "rides"), groups.member("b", "rides")
    first.join()
    second.join()
    assert (second.epoch, second.reads) == (2, set())
    first.beat()
    assert (first.epoch, len(first.reads)) == (1, 2)
    assert second.beat().assignment is None
    first.beat()
    second.beat()
    assert (first.epoch, second.epoch) == (2, 2)
    assert first.reads | second.reads == all_of("rides", 4)
    assert not first.reads & second.reads
