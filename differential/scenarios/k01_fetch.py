"""Fetch: bounds, offsets that are not there, epochs, ids, and the sessions of KIP-227."""

from __future__ import annotations

from differential.calls import batch, delete_records, delete_topics, fetch, fetch_partition, produce
from differential.scenario import scenario
from differential.stage import Stage, Topic
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.wire.api import ApiKey
from drave.wire.messages.k01_fetch import FetchRequest, FetchTopic

FETCH = ApiKey.FETCH
SESSIONS_SINCE = 7
NEW_SESSION = {"session_id": 0, "session_epoch": 0}


def _filled(stage: Stage, *, partitions: int = 1, batches: int = 3) -> Topic:
    """Two records in each batch, as many batches in each partition."""
    topic = stage.topic(partitions=partitions)
    for number in range(batches):
        data = batch(f"{number}a", f"{number}b")
        stage.quietly(produce(topic, dict.fromkeys(range(partitions), data)))
    return topic


@scenario(FETCH, offset=(0, 1, 2, 5))
def whole_batches_from_an_offset(stage: Stage, version: int, offset: int) -> None:
    stage.ask(fetch(_filled(stage), offset), version)


@scenario(FETCH, offset=(6, 7, 1000, -1, -2, 2**63 - 1))
def at_the_end_and_out_of_range(stage: Stage, version: int, offset: int) -> None:
    stage.ask(fetch(_filled(stage), offset), version)


@scenario(FETCH)
def an_empty_partition(stage: Stage, version: int) -> None:
    stage.ask(fetch(stage.topic(), 0), version)
    stage.ask(fetch(stage.topic("b"), 1), version)


@scenario(FETCH)
def unknown_topics_and_partitions(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    stage.ask(fetch(topic, fetch_partition(0, 1), fetch_partition(0, -1), fetch_partition(0)), version)
    stage.ask(fetch(Topic(stage.name("nowhere"), TopicId(b"\7" * 16)), 0), version)
    stage.ask(fetch(Topic("", ZERO_TOPIC_ID), 0), version)


@scenario(FETCH)
def a_deleted_topic(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    stage.ask(fetch(topic, 0), version)


@scenario(FETCH)
def nothing_at_all(stage: Stage, version: int) -> None:
    stage.ask(fetch(None), version)


@scenario(version=(4, 6, 7, 12, 13, 18), size=(0, 1, 80, 200, -1))
def partition_max_bytes(stage: Stage, version: int, size: int) -> None:
    """At least one batch comes, however small the bound."""
    stage.ask(fetch(_filled(stage), fetch_partition(0, partition_max_bytes=size)), version)


@scenario(version=(4, 7, 12, 13, 18), size=(0, 1, 100, 300))
def max_bytes_of_the_whole_answer(stage: Stage, version: int, size: int) -> None:
    topic = _filled(stage, partitions=3, batches=2)
    each = [fetch_partition(0, partition) for partition in range(3)]
    stage.ask(fetch(topic, *each, max_bytes=size), version)


@scenario(version=(4, 7, 12, 13, 18))
def an_empty_partition_does_not_use_up_the_bound(stage: Stage, version: int) -> None:
    topic = stage.topic(partitions=3)
    stage.quietly(produce(topic, {1: batch("a"), 2: batch("b")}))
    stage.ask(fetch(topic, *(fetch_partition(0, partition) for partition in range(3)), max_bytes=1), version)


@scenario(FETCH)
def min_bytes_are_there(stage: Stage, version: int) -> None:
    stage.ask(fetch(_filled(stage), 0, min_bytes=50, max_wait_ms=5000), version)


@scenario(version=(4, 12, 18))
def min_bytes_do_not_come(stage: Stage, version: int) -> None:
    stage.ask(fetch(_filled(stage), 6, min_bytes=1, max_wait_ms=30), version)


@scenario(FETCH)
def an_error_is_not_waited_with(stage: Stage, version: int) -> None:
    topic = _filled(stage, partitions=2)
    stage.ask(fetch(topic, fetch_partition(99, 0), fetch_partition(6, 1), min_bytes=1, max_wait_ms=8000), version)


@scenario(FETCH)
def a_waiting_fetch_is_woken_by_a_record(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    waiting = stage.send(fetch(topic, 6, min_bytes=1, max_wait_ms=8000), version)
    stage.quietly(produce(topic, batch("new")))
    stage.answer(waiting)


@scenario(version=(4, 11, 12, 13, 18))
def a_waiting_fetch_is_woken_by_enough_records(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    size = len(batch("new"))
    waiting = stage.send(fetch(topic, 6, min_bytes=size + 1, max_wait_ms=8000), version)
    stage.quietly(produce(topic, batch("new")))
    stage.quietly(produce(topic, batch("new")))
    stage.answer(waiting)


@scenario(FETCH, since=9, epoch=(-1, 0, 1, 5, -2))
def current_leader_epoch(stage: Stage, version: int, epoch: int) -> None:
    stage.ask(fetch(_filled(stage), fetch_partition(0, current_leader_epoch=epoch)), version)


@scenario(FETCH, since=12, epoch=(-1, 0, 1, 7))
def last_fetched_epoch(stage: Stage, version: int, epoch: int) -> None:
    """KIP-595: a client whose last epoch is not the log's is told where they part."""
    stage.ask(fetch(_filled(stage), fetch_partition(3, last_fetched_epoch=epoch)), version)


@scenario(FETCH, isolation=(0, 1))
def isolation_levels(stage: Stage, version: int, isolation: int) -> None:
    stage.ask(fetch(_filled(stage), 0, isolation_level=isolation), version)


@scenario(version=(4, 12, 18), isolation=(2, -1))
def an_unknown_isolation_level(stage: Stage, version: int, isolation: int) -> None:
    stage.ask(fetch(_filled(stage), 0, isolation_level=isolation), version)


@scenario(FETCH)
def after_records_were_deleted(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    stage.quietly(delete_records(topic, {0: 3}))
    stage.ask(fetch(topic, 2), version)
    stage.ask(fetch(topic, 3), version)


@scenario(version=(4, 12, 13, 18))
def the_same_partition_twice(stage: Stage, version: int) -> None:
    stage.ask(fetch(_filled(stage), 0, 2), version)


@scenario(version=(12, 13))
def the_same_topic_twice(stage: Stage, version: int) -> None:
    topic = _filled(stage, partitions=2)
    topics = [
        FetchTopic(topic=topic.name, topic_id=topic.id, partitions=[fetch_partition(4, partition)])
        for partition in range(2)
    ]
    stage.ask(FetchRequest(max_wait_ms=0, min_bytes=0, topics=topics), version)


# -- sessions


@scenario(FETCH, since=SESSIONS_SINCE)
def a_session_is_made_and_used(stage: Stage, version: int) -> None:
    topic = _filled(stage, partitions=2)
    both = [fetch_partition(6, partition) for partition in range(2)]
    made = stage.ask(fetch(topic, *both, **NEW_SESSION), version)
    stage.ask(fetch(None, session_id=made.session_id, session_epoch=1), version)
    stage.quietly(produce(topic, {1: batch("new")}))
    stage.ask(fetch(None, session_id=made.session_id, session_epoch=2), version)
    stage.ask(fetch(topic, fetch_partition(7, 1), session_id=made.session_id, session_epoch=3), version)
    stage.ask(fetch(None, session_id=made.session_id, session_epoch=4), version)


@scenario(FETCH, since=SESSIONS_SINCE)
def a_full_fetch_answers_every_partition(stage: Stage, version: int) -> None:
    topic = _filled(stage, partitions=2)
    both = [fetch_partition(6, partition) for partition in range(2)]
    stage.ask(fetch(topic, *both, session_id=0, session_epoch=-1), version)
    stage.ask(fetch(topic, *both, session_id=0, session_epoch=0), version)


@scenario(FETCH, since=SESSIONS_SINCE)
def partitions_are_added_and_forgotten(stage: Stage, version: int) -> None:
    topic = _filled(stage, partitions=3)
    made = stage.ask(fetch(topic, fetch_partition(6, 0), **NEW_SESSION), version)
    stage.ask(fetch(topic, fetch_partition(2, 1), session_id=made.session_id, session_epoch=1), version)
    stage.ask(fetch(topic, forget=[0, 1], session_id=made.session_id, session_epoch=2), version)
    stage.quietly(produce(topic, dict.fromkeys(range(3), batch("new"))))
    stage.ask(fetch(None, session_id=made.session_id, session_epoch=3), version)
    stage.ask(fetch(topic, fetch_partition(6, 2), forget=[2], session_id=made.session_id, session_epoch=4), version)


@scenario(FETCH, since=SESSIONS_SINCE)
def sessions_and_epochs_that_are_not_there(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    stage.ask(fetch(topic, 0, session_id=77_777, session_epoch=1), version)
    stage.ask(fetch(topic, 0, session_id=77_777, session_epoch=-1), version)
    stage.ask(fetch(topic, 0, session_id=77_777, session_epoch=0), version)
    made = stage.ask(fetch(topic, 6, **NEW_SESSION), version)
    stage.ask(fetch(None, session_id=made.session_id, session_epoch=2), version)
    stage.ask(fetch(None, session_id=made.session_id, session_epoch=0), version)
    stage.ask(fetch(None, session_id=0, session_epoch=1), version)


@scenario(FETCH, since=SESSIONS_SINCE)
def a_session_is_closed(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    made = stage.ask(fetch(topic, 6, **NEW_SESSION), version)
    stage.ask(fetch(topic, 6, session_id=made.session_id, session_epoch=-1), version)
    stage.ask(fetch(None, session_id=made.session_id, session_epoch=1), version)


@scenario(FETCH, since=SESSIONS_SINCE)
def an_error_stays_in_a_session_until_it_is_gone(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    made = stage.ask(fetch(topic, 99, **NEW_SESSION), version)
    stage.ask(fetch(None, session_id=made.session_id, session_epoch=1), version)
    stage.ask(fetch(topic, 6, session_id=made.session_id, session_epoch=2), version)
    stage.ask(fetch(None, session_id=made.session_id, session_epoch=3), version)


@scenario(FETCH, since=SESSIONS_SINCE)
def a_topic_is_deleted_under_a_session(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    made = stage.ask(fetch(topic, 6, **NEW_SESSION), version)
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    stage.ask(fetch(None, session_id=made.session_id, session_epoch=1), version)


@scenario(FETCH, since=SESSIONS_SINCE)
def an_unknown_topic_in_a_new_session(stage: Stage, version: int) -> None:
    nowhere = Topic(stage.name("nowhere"), TopicId(b"\7" * 16))
    made = stage.ask(fetch(nowhere, 0, **NEW_SESSION), version)
    if made.session_id:
        stage.ask(fetch(None, session_id=made.session_id, session_epoch=1), version)


@scenario(FETCH, since=13)
def a_session_moves_from_ids_to_names(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    made = stage.ask(fetch(topic, 6, **NEW_SESSION), version)
    stage.ask(fetch(topic, 6, session_id=made.session_id, session_epoch=1), 12)


@scenario(FETCH, since=SESSIONS_SINCE)
def the_log_start_moves_in_a_session(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    made = stage.ask(fetch(topic, 6, **NEW_SESSION), version)
    stage.quietly(delete_records(topic, {0: 3}))
    stage.ask(fetch(None, session_id=made.session_id, session_epoch=1), version)


@scenario(FETCH)
def as_a_replica(stage: Stage, version: int) -> None:
    """Who says that it is broker 7 is none that this cluster knows."""
    from drave.wire.messages.k01_fetch import ReplicaState

    stage.ask(
        fetch(_filled(stage), 0, replica_id=7, replica_state=ReplicaState(replica_id=7, replica_epoch=1)), version
    )


@scenario(FETCH, since=11)
def a_rack_that_nobody_has(stage: Stage, version: int) -> None:
    stage.ask(fetch(_filled(stage), 0, rack_id="nowhere"), version)
