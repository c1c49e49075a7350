"""The transport over real sockets: what commits is seen, what aborts is not, and who is fenced hears of it."""

from __future__ import annotations

from itertools import count

import pytest

from drave.client.connection import Connection
from drave.streams.errors import Aborted, ClusterTrouble, Fenced, StreamsError
from drave.streams.kafka import consuming, producing
from drave.streams.kafka import transport as transport_module
from drave.streams.kafka.changelogs import READERS_MAX
from drave.streams.kafka.transport import KafkaTransport
from drave.streams.transport import NewTopic, Transport
from drave.testing import Broker
from tests.streams.kafka.conftest import PATIENCE_MS, Cluster, Listener, at, polled, values


def test_it_is_the_transport_that_the_engine_asks_for(cluster: Cluster) -> None:
    engine_gets: Transport = cluster.transport()
    assert engine_gets is not None


# -- transactions


def test_records_and_offsets_of_a_commit_are_seen_together(cluster: Cluster) -> None:
    source, to = cluster.topic(), cluster.topic()
    cluster.write(source, "a", "b")
    app, _ = cluster.joined(source)
    assert polled(app, 2) == ["a", "b"]
    app.begin()
    app.produce(to, b"k", b"A", 1_000)
    app.commit({(source, 0): at(2)})
    assert cluster.visible(to) == ["A"]
    assert app.committed([(source, 0)]) == {(source, 0): at(2)}


def test_what_is_aborted_is_never_seen_and_can_be_done_again(cluster: Cluster) -> None:
    source, to = cluster.topic(), cluster.topic()
    cluster.write(source, "a", "b")
    app, _ = cluster.joined(source)
    assert polled(app, 2) == ["a", "b"]
    app.begin()
    app.produce(to, b"k", b"never", 1_000)
    app.abort()
    assert app.committed([(source, 0)]) == {}
    app.seek((source, 0), 1)
    assert polled(app, 1) == ["b"]
    app.begin()
    app.produce(to, b"k", b"B", 1_000)
    app.commit({(source, 0): at(2)})
    assert cluster.visible(to) == ["B"]


def test_a_commit_says_where_the_places_that_were_named_end(cluster: Cluster) -> None:
    """The marker of each transaction takes an offset too; places that the key chose are not told."""
    source, log = cluster.topic(), cluster.topic(2)
    app, _ = cluster.joined(source)
    app.begin()
    for value in (b"1", b"2", b"3"):
        app.produce(log, b"k", value, 1_000, partition=1)
    app.produce(source, b"k", b"x", 1_000)
    ends = app.commit({})
    assert ends.keys() == {(log, 1)}
    app.begin()
    app.produce(log, b"k", b"4", 1_000, (), 1)
    app.produce(log, b"k", b"5", 1_000, (), 0)
    read = app.read((log, 1), ends[log, 1], app.commit({})[log, 1])
    assert values([message for portion in read for message in portion]) == ["4"]
    app.begin()
    assert app.commit({}) == {}
    assert cluster.visible(log, 1) == ["1", "2", "3", "4"]


def test_records_to_one_topic_keep_their_order_however_their_partition_was_chosen(cluster: Cluster) -> None:
    source, to = cluster.topic(), cluster.topic()
    app, _ = cluster.joined(source)
    app.begin()
    app.produce(to, None, b"1", 1_000, (), 0)
    app.produce(to, b"k", b"2", 1_000)
    app.produce(to, None, b"3", 1_000, (), 0)
    app.produce(to, None, b"4", 1_000, (), 0)
    app.commit({})
    assert cluster.visible(to) == ["1", "2", "3", "4"]


def test_offsets_carry_what_the_engine_wants_to_know_again(cluster: Cluster) -> None:
    source = cluster.topic()
    for exactly_once in (True, False):
        app, _ = cluster.joined(source, exactly_once=exactly_once)
        app.begin()
        app.commit({(source, 0): at(7, f"stream time, {exactly_once}")})
        assert app.committed([(source, 0)]) == {(source, 0): at(7, f"stream time, {exactly_once}")}
        app.close()


def test_keys_land_where_javas_clients_put_them(cluster: Cluster) -> None:
    """The hashes are those of Kafka's own test of `Utils.murmur2`."""
    hashes = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    source, to = cluster.topic(), cluster.topic(7)
    app, _ = cluster.joined(source)
    app.begin()
    for key in hashes:
        app.produce(to, key, key, 1_000)
    app.commit({})
    for key, hashed in hashes.items():
        assert key.decode() in cluster.visible(to, (hashed & 0x7FFFFFFF) % 7)


def test_headers_times_and_absent_values_arrive(cluster: Cluster) -> None:
    source, to = cluster.topic(), cluster.topic()
    app, _ = cluster.joined(source)
    app.begin()
    app.produce(to, b"k", None, 1_234, [("why", b"late"), ("none", None)])
    app.produce(to, b"k", b"v", 0, (), 0)
    app.commit({})
    (portion,) = [found for found in app.read((to, 0), 0, 2) if found]
    first, second = portion
    assert (first.key(), first.value(), first.timestamp()[1]) == (b"k", None, 1_234)
    assert first.headers() == [("why", b"late"), ("none", None)]
    assert second.timestamp()[1] == 1, "librdkafka would take 0 for now"


# -- who is fenced


def test_a_second_process_of_the_same_name_fences_the_first(cluster: Cluster) -> None:
    source, to = cluster.topic(), cluster.topic()
    first, _ = cluster.joined(source)
    first.begin()
    first.produce(to, b"k", b"zombie", 1_000)
    second, _ = cluster.joined(source)
    with pytest.raises(Fenced, match="another process has taken this worker's place: cannot"):
        first.commit({(source, 0): at(1)})
    second.begin()
    second.produce(to, b"k", b"heir", 1_000)
    second.commit({(source, 0): at(1)})
    assert cluster.visible(to) == ["heir"]


def test_a_transaction_that_the_broker_has_ended_is_aborted_and_the_next_one_commits(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producing, "TRANSACTION_TIMEOUT_MS", 1_000)
    source, to = cluster.topic(), cluster.topic()
    app, _ = cluster.joined(source)
    app.begin()
    app.produce(to, b"k", b"too late", 1_000)
    app._sender._producer.flush(100)
    assert app.stable_offset((to, 0)) >= 1  # it waits for the coordinator, which does not wait for us
    with pytest.raises(Aborted, match=r"the transaction has taken longer than"):
        app.commit({(source, 0): at(1)})
    app.abort()
    monkeypatch.undo()
    app.begin()
    app.produce(to, b"k", b"in time", 1_000)
    app.commit({(source, 0): at(1)})
    assert cluster.visible(to) == ["in time"]


def test_who_speaks_for_an_earlier_generation_of_the_group_cannot_commit(cluster: Cluster) -> None:
    """KIP-447: the broker knows by the membership that the places have been given away since."""
    source, to = cluster.topic(), cluster.topic()
    left_behind, listener = cluster.joined(source)
    left_behind.begin()
    left_behind.produce(to, b"k", b"stale", 1_000)
    membership = left_behind._group.membership()
    rival, of_rival = cluster.transport("w2"), Listener()
    rival.subscribe([source], of_rival)
    while ("revoked", [(source, 0)]) not in listener.told or not (listener.held or of_rival.held):
        left_behind.poll(1, 0.01)
        rival.poll(1, 0.01)
    left_behind._sender._membership = lambda: membership
    with pytest.raises(Aborted, match="cannot commit offsets: "):
        left_behind.commit({(source, 0): at(9)})
    left_behind.abort()
    assert rival.committed([(source, 0)]) == {}
    assert cluster.visible(to) == []


def test_who_is_in_no_group_cannot_commit(cluster: Cluster) -> None:
    """A broker would take its offsets for those of an old client."""
    source, to = cluster.topic(), cluster.topic()
    app = cluster.transport()
    app._sender.start()
    app.begin()
    app.produce(to, b"k", b"stale", 1_000)
    with pytest.raises(Aborted, match="the group has given this member's places away"):
        app.commit({(source, 0): at(9)})
    app.abort()


# -- what goes wrong


@pytest.mark.parametrize("exactly_once", [True, False])
def test_a_record_that_the_broker_refuses_ends_the_app_with_its_reason(cluster: Cluster, exactly_once: bool) -> None:
    """Trying again would not help, so this is not Aborted."""
    source, to = cluster.topic(), cluster.topic(max_message_bytes="100")
    app, _ = cluster.joined(source, exactly_once=exactly_once)
    app.begin()
    app.produce(to, b"k", b"x" * 1_000, 1_000)
    with pytest.raises(ClusterTrouble, match=f"cannot .*{to}.*[Mm]essage size"):
        app.commit({(source, 0): at(1)})
    app.abort()
    assert app.committed([(source, 0)]) == {}


@pytest.mark.parametrize("exactly_once", [True, False])
def test_a_record_that_is_too_large_for_the_client_is_refused_at_once(cluster: Cluster, exactly_once: bool) -> None:
    source = cluster.topic()
    app, _ = cluster.joined(source, exactly_once=exactly_once)
    app.begin()
    with pytest.raises(ClusterTrouble, match=f"cannot send to {source}: "):
        app.produce(source, b"k", b"x" * 2_000_000, 1_000)


@pytest.mark.parametrize("exactly_once", [True, False])
def test_a_full_queue_is_waited_for(cluster: Cluster, exactly_once: bool) -> None:
    source, to = cluster.topic(), cluster.topic()
    cluster.connection = Connection(
        bootstrap=cluster.broker.bootstrap, properties={"queue.buffering.max.messages": "10", "log_level": "0"}
    )
    app, _ = cluster.joined(source, exactly_once=exactly_once)
    app.begin()
    for number in range(100):
        app.produce(to, b"k", b"%d" % number, 1_000)
    app.commit({})
    assert cluster.visible(to) == [str(number) for number in range(100)]


def test_at_least_once_what_was_sent_is_seen_after_the_commit(cluster: Cluster) -> None:
    source, to = cluster.topic(), cluster.topic()
    app, _ = cluster.joined(source, worker=None, exactly_once=False)
    app.begin()
    app.produce(to, b"k", b"1", 1_000)
    app.produce(to, b"k", b"2", 1_000, (), 0)
    assert app.commit({(source, 0): at(3)}) == {(to, 0): 2}
    assert cluster.visible(to) == ["1", "2"]
    assert app.committed([(source, 0)]) == {(source, 0): at(3)}
    app.produce(to, b"k", b"3", 1_000, (), 0)
    app.abort()
    app.commit({})
    assert cluster.visible(to) == ["1", "2"]


def test_a_cluster_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drave.streams.kafka.patience.OUTAGE_S_MAX", 0.0)
    with pytest.raises(ClusterTrouble, match=r"no broker answers at 127.0.0.1:1 \(Connection refused\)"):
        KafkaTransport(Connection(bootstrap="127.0.0.1:1"), "app", worker="w")


# -- topics


def test_topics_are_made_with_exactly_so_many_partitions_and_those_that_exist_stay(cluster: Cluster) -> None:
    there, new = cluster.topic(3), f"{cluster.app}-changelog"
    app = cluster.transport()
    app.create_topics([NewTopic(there, 5), NewTopic(new, 4, {"cleanup.policy": "compact"})])
    assert app.partition_counts([there, new, "nowhere"]) == {there: 3, new: 4}
    assert app._topics.config(new, "cleanup.policy") == "compact"


# -- changelogs


def test_a_changelog_is_read_past_the_markers_of_transactions(cluster: Cluster) -> None:
    """Offsets 0 and 3 are records, 1, 2 and 4 markers and what was aborted: no record stands at the end."""
    source, log = cluster.topic(), cluster.topic()
    app, _ = cluster.joined(source)
    app.begin()
    app.produce(log, b"a", b"1", 1_000, (), 0)
    app.commit({})
    app.begin()
    app.produce(log, b"b", b"never", 1_000, (), 0)
    app._sender._producer.flush(100)
    app.abort()
    end = app.stable_offset((log, 0))
    assert (app.start_offset((log, 0)), end) == (0, 4)
    assert values([message for portion in app.read((log, 0), 0, end) for message in portion]) == ["1"]
    assert values([message for portion in app.read((log, 0), 2, end) for message in portion]) == []
    assert list(app.read((log, 0), 4, 4)) == []


def test_a_read_ends_before_records_that_came_later(cluster: Cluster) -> None:
    log = cluster.topic()
    cluster.write(log, *map(str, range(50)))
    app = cluster.transport()
    assert values([message for portion in app.read((log, 0), 10, 20) for message in portion]) == [
        str(number) for number in range(10, 20)
    ]
    first, second = app.read((log, 0), 0, 50), app.read((log, 0), 5, 6)
    assert values([message for portion in second for message in portion]) == ["5"]
    assert len([message for portion in first for message in portion]) == 50


def test_many_reads_at_once_share_a_few_readers(cluster: Cluster) -> None:
    log = cluster.topic()
    cluster.write(log, "a", "b", "c")
    app = cluster.transport()
    reads = {number: app.read((log, 0), 0, 3) for number in range(3 * READERS_MAX)}
    found: dict[int, list[str]] = {number: [] for number in reads}
    while reads:
        for number, read in list(reads.items()):
            portion = next(read, None)
            if portion is None:
                del reads[number]
            else:
                found[number] += values(portion)
    assert set(map(tuple, found.values())) == {("a", "b", "c")}
    assert len(app._changelogs._all) == READERS_MAX


def test_a_changelog_that_is_shorter_than_what_was_committed_is_never_read_as_if_it_were_whole(
    cluster: Cluster,
) -> None:
    log = cluster.topic()
    cluster.write(log, "a")
    with pytest.raises(StreamsError, match=rf"{log}-0 ends at offset 1, and was committed up to 7: records are lost"):
        list(cluster.transport().read((log, 0), 0, 7))


def test_the_end_of_a_changelog_is_known_when_nothing_before_it_is_undecided(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction's markers arrive one by one: its offsets may count before its changelog does."""
    log = cluster.topic()
    other = cluster.producer(f"{cluster.app}-other")
    other.begin_transaction()
    other.produce(log, "late", "k")
    other.flush(100)
    waits: list[float] = []

    def decide(pause_s: float) -> None:
        waits.append(pause_s)
        if len(waits) == 1:
            other.commit_transaction(100)

    monkeypatch.setattr(transport_module.time, "sleep", decide)
    assert cluster.transport().stable_offset((log, 0)) == 2
    assert waits


@pytest.mark.slow
def test_a_broker_that_is_killed_and_comes_back_holds_up_a_transaction_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An unclean start begins new leader epochs, which librdkafka's admin client does not learn of by itself, and while
    no broker answered librdkafka must not have forgotten who the coordinator was. However long the start takes, the
    member and its transaction are meant to outlive it."""
    monkeypatch.setattr(consuming, "SESSION_TIMEOUT_MS", PATIENCE_MS)
    monkeypatch.setattr(producing, "TRANSACTION_TIMEOUT_MS", PATIENCE_MS)
    with Broker(process=True, durability="fsync") as broker:
        cluster = Cluster(broker, count())
        source, log = cluster.topic(), cluster.topic()
        app, _ = cluster.joined(source)
        app.begin()
        app.produce(log, b"k", b"1", 1_000, (), 0)
        assert app.commit({(source, 0): at(1)}).keys() == {(log, 0)}
        app.begin()
        app.produce(log, b"k", b"2", 1_000, (), 0)
        broker.kill()
        broker.start()
        app.commit({(source, 0): at(2)})
        assert cluster.visible(log) == ["1", "2"]
        cluster.close()
