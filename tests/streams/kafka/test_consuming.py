"""The group's consumer: whose places are whose, where records begin again, and when an end is an end."""

from __future__ import annotations

import pytest

from drave.streams.errors import Aborted, Fenced
from drave.streams.kafka.transport import KafkaTransport
from tests.streams.kafka.conftest import Cluster, Listener, at, polled


def until_at_end(transport: KafkaTransport, *topics: str) -> None:
    while not all(transport.at_end((topic, 0)) for topic in topics):
        transport.poll(100, 0.05)


def test_two_processes_share_the_partitions_and_what_is_joined_stays_together(cluster: Cluster) -> None:
    left, right = cluster.topic(4), cluster.topic(4)
    first, of_first = cluster.joined(left, right)
    of_first.on_revoked = lambda: first.commit({(left, 0): at(5)})
    second, of_second = cluster.transport("w2"), Listener()
    second.subscribe([left, right], of_second)
    while not (of_second.held and of_first.held) or len(of_first.held) + len(of_second.held) != 8:
        first.poll(100, 0.01)
        second.poll(100, 0.01)
    assert of_first.held.isdisjoint(of_second.held)
    for held in (of_first.held, of_second.held):
        assert {partition for topic, partition in held if topic == left} == {
            partition for topic, partition in held if topic == right
        }
    assert [what for what, _ in of_first.told] == ["assigned", "revoked", "assigned"]
    assert second.committed([(left, 0)]) == {(left, 0): at(5)}, "what was committed while the places went"


def test_a_worker_that_comes_back_under_its_name_takes_its_places_without_a_rebalance(cluster: Cluster) -> None:
    topic = cluster.topic(2)
    first, of_first = cluster.joined(topic)
    other, of_other = cluster.transport("w2"), Listener()
    other.subscribe([topic], of_other)
    while not (of_first.held and of_other.held) or of_first.held & of_other.held:
        first.poll(100, 0.01)
        other.poll(100, 0.01)
    held, told = set(of_first.held), len(of_other.told)
    first.close()
    again, of_again = cluster.joined(topic)
    assert of_again.held == held
    other.poll(100, 0.05)
    assert len(of_other.told) == told
    again.close()


def test_an_error_of_the_listener_comes_out_of_poll(cluster: Cluster) -> None:
    def fail(places: object) -> None:
        raise Aborted("as the engine says it")

    transport, listener = cluster.transport(), Listener()
    listener.on_assigned = fail
    transport.subscribe([cluster.topic()], listener)
    with pytest.raises(Aborted, match="as the engine says it"):
        polled(transport, 1)


def test_an_end_is_one_until_records_come(cluster: Cluster) -> None:
    topic = cluster.topic()
    transport, _ = cluster.joined(topic)
    until_at_end(transport, topic)
    cluster.write(topic, "a")
    assert polled(transport, 1) == ["a"]
    until_at_end(transport, topic)
    cluster.write(topic, "b", "c", "d")
    found: list[str] = []
    while len(found) < 3:
        messages = transport.poll(1, 0.05)
        found += [(message.value() or b"").decode() for message in messages]
        if 0 < len(found) < 3:
            assert not transport.at_end((topic, 0))
    assert found == ["b", "c", "d"]
    until_at_end(transport, topic)


def test_a_place_that_was_paused_or_sought_comes_to_its_end_again(cluster: Cluster) -> None:
    topic = cluster.topic()
    cluster.write(topic, "a", "b")
    transport, _ = cluster.joined(topic)
    assert polled(transport, 2) == ["a", "b"]
    transport.pause([(topic, 0)])
    transport.resume([(topic, 0)])
    until_at_end(transport, topic)
    transport.seek((topic, 0), 0)
    assert not transport.at_end((topic, 0))
    assert polled(transport, 2) == ["a", "b"]
    until_at_end(transport, topic)
    transport.seek((topic, 0), 2)
    until_at_end(transport, topic)


def test_nothing_comes_of_a_place_that_is_paused_and_everything_after(cluster: Cluster) -> None:
    """The engine pauses when it is given places, restores, seeks and resumes."""
    paused, other = cluster.topic(), cluster.topic()
    cluster.write(paused, "a", "b", "c")

    transport, listener = cluster.transport(), Listener()
    listener.on_assigned = lambda places: transport.pause([(paused, 0)])
    transport.subscribe([paused, other], listener)
    until_at_end(transport, other)
    for number in range(5):
        cluster.write(other, str(number))
        assert polled(transport, 1) == [str(number)]
    transport.seek((paused, 0), 1)
    transport.resume([(paused, 0)])
    assert polled(transport, 2) == ["b", "c"]


def test_a_seek_right_after_the_assignment_is_heard(cluster: Cluster) -> None:
    topic = cluster.topic()
    cluster.write(topic, "a", "b", "c")

    transport, listener = cluster.transport(), Listener()
    listener.on_assigned = lambda places: transport.seek((topic, 0), 2)
    transport.subscribe([topic], listener)
    assert polled(transport, 1) == ["c"]


def test_a_group_begins_at_the_beginning_and_goes_on_where_it_was(cluster: Cluster) -> None:
    topic = cluster.topic()
    cluster.write(topic, "a", "b", "c")
    first, _ = cluster.joined(topic)
    assert polled(first, 3) == ["a", "b", "c"]
    first.begin()
    first.commit({(topic, 0): at(2)})
    first.close()
    again, _ = cluster.joined(topic)
    assert polled(again, 1) == ["c"]


def test_of_two_processes_under_one_name_one_ends(cluster: Cluster) -> None:
    """At least once has no transactional id that would say so. Each joins once more, as after an outage, not twice."""
    topic = cluster.topic()
    first, of_first = cluster.joined(topic, exactly_once=False)
    second, of_second = cluster.transport(exactly_once=False), Listener()
    second.subscribe([topic], of_second)

    def poll_for_ever() -> None:
        while True:
            first.poll(1, 0.01)
            second.poll(1, 0.01)

    with pytest.raises(Fenced, match="another process has joined the group under this worker's name"):
        poll_for_ever()
    assert ("lost", [(topic, 0)]) in of_first.told + of_second.told
