"""Stories with one flaw each, under the law that the flaw breaks."""

from __future__ import annotations

from collections.abc import Callable

from drave.model.errors import ErrorCode
from simulation.history import (
    EmptyFetch,
    Mark,
    Outcome,
    QuotaChange,
    Said,
    Silence,
    Source,
    TopicChange,
    TopicChangeKind,
)
from tests.simulation.chronicle import COPIES, KEYS, RIDES, TOPICS, Chronicle, altered

Story = Callable[[Chronicle], None]

FLAWS: dict[str, list[Story]] = {}
"""What breaks each law."""


def breaks(law: str) -> Callable[[Story], Story]:
    def take(story: Story) -> Story:
        FLAWS.setdefault(law, []).append(story)
        return story

    return take


# -- records


@breaks("kept")
def an_acknowledged_record_is_gone(tale: Chronicle) -> None:
    tale.send()
    lost = tale.send()
    tale.end(rides=[lost.offset])


@breaks("kept")
def another_record_lies_where_one_was_acknowledged(tale: Chronicle) -> None:
    first, second = tale.send(by="p"), tale.send(by="q")
    tale.change(first, mark=second.mark)
    tale.change(second, mark=first.mark)


@breaks("kept")
def more_is_gone_than_somebody_wanted_to_delete(tale: Chronicle) -> None:
    tale.send()
    lost = tale.send()
    tale.trim(1)
    tale.end(rides=[0, lost.offset])


@breaks("kept")
def the_newest_record_of_a_key_is_compacted_away(tale: Chronicle) -> None:
    tale.send(KEYS, key=b"k")
    newest = tale.send(KEYS, key=b"k")
    tale.end(keys=[newest.offset])


@breaks("sent")
def a_record_is_read_that_nobody_sent(tale: Chronicle) -> None:
    sent = tale.send(told=Outcome.UNKNOWN)
    tale.change(sent, mark=Mark("nobody", 3))
    tale.read()


@breaks("sent")
def a_value_changes_on_its_way(tale: Chronicle) -> None:
    tale.change(tale.send(), value=b"other")
    tale.read()


@breaks("once")
def an_idempotent_record_is_there_twice(tale: Chronicle) -> None:
    tale.land(tale.send())


@breaks("once")
def a_plain_record_is_there_more_often_than_it_was_sent(tale: Chronicle) -> None:
    sent = tale.send(idempotent=False)
    sent.tries = 2
    tale.land(sent)
    tale.land(sent)


@breaks("in order")
def two_records_of_an_idempotent_producer_change_places(tale: Chronicle) -> None:
    first = tale.send(told=Outcome.UNKNOWN, lands=False)
    tale.send(told=Outcome.UNKNOWN)
    tale.land(first)


@breaks("acknowledged in order")
def what_was_sent_later_lies_before_what_was_acknowledged_earlier(tale: Chronicle) -> None:
    first = tale.send(by="p", lands=False)
    tale.send(by="q")
    first.offset = tale.land(first)


@breaks("the same for ever")
def an_offset_is_read_with_two_records(tale: Chronicle) -> None:
    sent = tale.send(told=Outcome.UNKNOWN)
    other = tale.send(by="q", told=Outcome.UNKNOWN, lands=False)
    tale.read()
    tale.change(sent, mark=other.mark)
    tale.read()


@breaks("the same for ever")
def two_records_are_told_one_offset(tale: Chronicle) -> None:
    tale.send(by="p")
    tale.send(by="q", lands=False).offset = 0


@breaks("without gaps")
def a_reader_skips_an_offset(tale: Chronicle) -> None:
    tale.send()
    tale.send()
    read = tale.read()
    tale.history.reads[-1] = altered(read, batches=read.batches[1:])


@breaks("rising")
def a_reader_is_given_what_lies_before_its_position(tale: Chronicle) -> None:
    tale.send()
    tale.send()
    read = tale.read()
    tale.history.reads[-1] = altered(read, position=1)


@breaks("refused for good")
def a_refused_record_is_read(tale: Chronicle) -> None:
    tale.send(told=Outcome.REFUSED)
    tale.read()


@breaks("no reason to complain")
def an_honest_producer_is_told_that_it_is_out_of_order(tale: Chronicle) -> None:
    tale.history.complain("p", ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, "sequence 3")


@breaks("tombstones stay")
def a_reader_never_hears_that_a_value_was_deleted(tale: Chronicle) -> None:
    tale.send(KEYS, key=b"k")
    tale.read(KEYS)
    tale.send(KEYS, key=b"k", value=None)
    tale.send(KEYS, key=b"other")
    tale.logs[KEYS].pop(1)
    tale.pass_ms(500)
    tale.read(KEYS, 1)


@breaks("the dead stay dead")
def a_tombstone_goes_before_what_it_buried(tale: Chronicle) -> None:
    tale.send(KEYS, key=b"k")
    grave = tale.send(KEYS, key=b"k", value=None)
    tale.end(keys=[grave.offset])


# -- watermarks


@breaks("not before its time")
def a_delayed_record_is_seen_early(tale: Chronicle) -> None:
    tale.delay(1_000)
    tale.send()
    tale.pass_ms(999)
    tale.read()


@breaks("high watermark stays")
def the_high_watermark_falls(tale: Chronicle) -> None:
    tale.send()
    tale.read()
    read = tale.read()
    tale.history.reads[-1] = altered(read, high_watermark=0, last_stable_offset=0, next_position=0, batches=[])


@breaks("high watermark stays")
def what_was_acknowledged_is_above_the_high_watermark(tale: Chronicle) -> None:
    tale.send()
    tale.look_up(-1, 0)


@breaks("last stable offset stays")
def the_last_stable_offset_falls(tale: Chronicle) -> None:
    tale.send()
    tale.read()
    tale.read(position=1, stable=0)


@breaks("log start stays")
def deleted_records_come_back_after_a_restart(tale: Chronicle) -> None:
    tale.send()
    tale.trim(1)
    tale.look_up(-2, 0)


@breaks("log start moves only when told")
def records_are_deleted_that_nobody_asked_to_delete(tale: Chronicle) -> None:
    tale.send()
    tale.send()
    tale.trim(1)
    tale.trimmed[RIDES] = 2
    tale.read(position=2)


@breaks("watermarks are in order")
def a_reader_of_what_is_committed_reads_past_what_is_stable(tale: Chronicle) -> None:
    tale.send()
    tale.read(committed_only=True, stable=0)


@breaks("what is there is given")
def a_fetch_comes_back_with_nothing(tale: Chronicle) -> None:
    tale.send()
    asked = tale.history.now()
    tale.history.empty_fetches.append(EmptyFetch("r", asked, tale.history.now(), False, {RIDES: 0}))


@breaks("times are found")
def a_time_is_found_one_record_late(tale: Chronicle) -> None:
    tale.send()
    tale.pass_ms(10)
    tale.send()
    tale.end()
    tale.look_up(0, 1, 10)


# -- transactions


@breaks("committed as a whole")
def half_of_a_committed_transaction_is_read(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence())
    tale.send(transaction=transaction)
    other = tale.send(COPIES, transaction=transaction)
    tale.decide(transaction, commit=True)
    log = tale.logs[COPIES]
    log[other.offset] = log[other.offset]._replace(committed=False)


@breaks("committed as a whole")
def half_of_a_transaction_is_read_whose_end_was_never_answered(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence())
    tale.send(transaction=transaction)
    tale.send(COPIES, transaction=transaction)
    tale.decide(transaction, commit=True, told=Outcome.UNKNOWN)
    tale.logs[COPIES][0] = tale.logs[COPIES][0]._replace(committed=False)
    tale.read(committed_only=True)


@breaks("aborted is not read")
def aborted_data_is_read_as_committed(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence())
    tale.send(transaction=transaction)
    tale.ask_to_end(transaction, commit=False)
    tale.mark_records(transaction, commit=True)
    tale.read(committed_only=True)


@breaks("aborted is not read")
def a_transaction_is_read_before_its_commit_was_asked_for(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence())
    tale.send(transaction=transaction)
    tale.mark_records(transaction, commit=True)
    tale.read(committed_only=True)
    tale.ask_to_end(transaction, commit=True)
    tale.history.tell(transaction, Outcome.DONE)


@breaks("open transactions are not passed")
def a_reader_of_what_is_committed_passes_an_open_transaction(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence())
    tale.send(transaction=transaction)
    tale.read(committed_only=True)
    tale.decide(transaction, commit=False)


@breaks("the fenced write nothing")
def a_fenced_producer_writes(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence("t/0", epoch=0))
    tale.fence("t/1", epoch=1)
    tale.send(by="t/0", transaction=transaction, told=Outcome.UNKNOWN)
    tale.mark_records(transaction, commit=False)


@breaks("the fenced write nothing")
def a_fenced_producer_commits(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence("t/0", epoch=0))
    tale.send(transaction=transaction)
    tale.fence("t/1", epoch=1)
    tale.decide(transaction, commit=True)


@breaks("epochs rise")
def two_processes_have_one_epoch(tale: Chronicle) -> None:
    tale.fence("t/0", epoch=4)
    tale.fence("t/1", epoch=4)


@breaks("nothing stays open")
def a_transaction_is_never_ended(tale: Chronicle) -> None:
    tale.end().ongoing = ["t"]


@breaks("nothing stays open")
def what_is_stable_never_reaches_the_end(tale: Chronicle) -> None:
    tale.send()
    tale.end().partitions[RIDES].last_stable_offset = 0


# -- groups


@breaks("owned once")
def two_members_own_one_partition(tale: Chronicle) -> None:
    tale.join(1, 0, 1, member="a", leader="a")
    tale.join(1, 1, member="b", leader="a")


@breaks("held once")
def a_partition_is_given_away_while_a_member_holds_it(tale: Chronicle) -> None:
    tale.hold("a", until_now=True)
    tale.hold("b")
    tale.hold("c")


@breaks("who holds it commits")
def a_member_commits_where_another_one_reads_since(tale: Chronicle) -> None:
    tale.hold("a", until_now=True)
    tale.hold("b")
    tale.deliver(0, 5)
    tale.commit(5, generation=2, member="a")


@breaks("one member leads")
def a_generation_has_two_leaders(tale: Chronicle) -> None:
    tale.join(1, 0, member="a", leader="a")
    tale.join(1, 1, member="b", leader="b")


@breaks("generations rise")
def a_member_is_given_a_part_of_a_past_generation(tale: Chronicle) -> None:
    tale.join(2, 0, member="a", leader="a")
    tale.join(1, 1, member="b", leader="a")


@breaks("past generations commit nothing")
def a_commit_of_a_past_generation_counts(tale: Chronicle) -> None:
    tale.join(1, 0)
    tale.join(2, 0)
    tale.deliver(0, 5)
    tale.commit(5, generation=1, member="m")


@breaks("replaced members commit nothing")
def a_static_member_commits_after_it_was_replaced(tale: Chronicle) -> None:
    tale.join(1, 0, member="instance", member_id="old")
    tale.join(1, 0, member="instance", member_id="new")
    tale.deliver(0, 5)
    tale.commit(5, generation=1, member="old")


@breaks("stands where it was put")
def an_acknowledged_commit_is_forgotten(tale: Chronicle) -> None:
    tale.commit(3)
    tale.commit(5)
    tale.find(3)


@breaks("stands where it was put")
def a_group_stands_where_nobody_put_it(tale: Chronicle) -> None:
    tale.commit(3)
    tale.find(4)


@breaks("stands where it was put")
def offsets_of_an_aborted_transaction_count(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence())
    tale.commit(3, transaction=transaction)
    tale.decide(transaction, commit=False)
    tale.find(3)


@breaks("stands where it was put")
def offsets_of_a_committed_transaction_do_not_count(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence())
    tale.commit(0, transaction=transaction)
    tale.decide(transaction, commit=True)
    tale.find(-1)


@breaks("who is gone is no member")
def a_dead_member_stays_a_member(tale: Chronicle) -> None:
    tale.join(1, 0)
    tale.end().members = {"g": 1}


@breaks("nothing is skipped")
def a_group_stands_past_what_nobody_read(tale: Chronicle) -> None:
    tale.join(1, 0)
    tale.deliver(0, 3)
    tale.deliver(4, 6)
    tale.commit(6, generation=1, member="m")
    tale.find(6)


# -- share groups


@breaks("held by one")
def what_one_member_holds_is_given_to_another(tale: Chronicle) -> None:
    tale.take(session="s/0")
    tale.take(session="s/1", count=2)
    tale.lives("s/0")


@breaks("held by one")
def a_renewed_lock_is_not_kept(tale: Chronicle) -> None:
    tale.take(session="s/0")
    tale.pass_ms(900)
    tale.say(Said.RENEW)
    tale.pass_ms(900)
    tale.take(session="s/1", count=2)
    tale.lives("s/0")


@breaks("what is over stays over")
def an_accepted_record_is_delivered_again(tale: Chronicle) -> None:
    tale.take()
    tale.say(Said.ACCEPT)
    tale.take(session="s/1", count=2)


@breaks("deliveries are counted")
def a_delivery_has_the_count_of_the_one_before(tale: Chronicle) -> None:
    tale.take()
    tale.say(Said.RELEASE, told=Outcome.UNKNOWN)
    tale.take(session="s/1")


@breaks("deliveries are counted")
def a_crash_takes_back_what_was_said_to_be_released(tale: Chronicle) -> None:
    tale.history.crashes = True
    tale.take()
    tale.say(Said.RELEASE)
    tale.take(session="s/1")


@breaks("no record is delivered too often")
def a_record_is_delivered_once_more_than_it_may_be(tale: Chronicle) -> None:
    tale.take(count=6)


@breaks("queues are read to their end")
def a_queue_has_no_end(tale: Chronicle) -> None:
    tale.history.drained["queue"] = False


@breaks("no record is left out")
def a_record_is_never_delivered(tale: Chronicle) -> None:
    tale.send()
    tale.history.drained["queue"] = True


@breaks("no record is left out")
def a_released_record_does_not_come_again(tale: Chronicle) -> None:
    tale.send()
    tale.take()
    tale.say(Said.RELEASE)
    tale.history.drained["queue"] = True


def copied(tale: Chronicle, *, copies: int, offset: int = 0, end: int = 1) -> None:
    tale.send()
    transaction = tale.begin(tale.fence())
    for _ in range(copies):
        tale.send(COPIES, transaction=transaction, source=Source(RIDES, offset))
    tale.commit(end, transaction=transaction)
    tale.decide(transaction, commit=True)
    tale.find(end)


@breaks("exactly once")
def a_record_is_copied_twice(tale: Chronicle) -> None:
    copied(tale, copies=2)


@breaks("exactly once")
def a_record_is_passed_and_notcopied(tale: Chronicle) -> None:
    copied(tale, copies=0)


@breaks("exactly once")
def a_record_is_copied_and_not_passed(tale: Chronicle) -> None:
    copied(tale, copies=1, end=0)


# -- topics, and going on


@breaks("topics stay")
def a_topic_is_gone(tale: Chronicle) -> None:
    del tale.end().topics["rides"]


@breaks("topics stay")
def a_topic_has_lost_a_partition(tale: Chronicle) -> None:
    _change(tale, TopicChangeKind.GROW, partitions=3)
    tale.end().topics["rides"].partitions = 2


@breaks("deleted topics are gone")
def a_deleted_topic_is_back(tale: Chronicle) -> None:
    _change(tale, TopicChangeKind.DELETE)


@breaks("configs are what was set")
def a_config_is_forgotten(tale: Chronicle) -> None:
    _change(tale, TopicChangeKind.ALTER, configs={"segment.ms": "100"})
    tale.end().topics["rides"].configs["segment.ms"] = "200"


@breaks("quotas are what was given")
def a_quota_is_forgotten(tale: Chronicle) -> None:
    _limit(tale, 5.0)
    tale.end()


@breaks("quotas are what was given")
def a_quota_that_was_taken_is_back(tale: Chronicle) -> None:
    _limit(tale, 5.0)
    _limit(tale, None)
    tale.end().quotas["p", "producer_byte_rate"] = 5.0


@breaks("answered in calm weather")
def a_question_is_never_answered(tale: Chronicle) -> None:
    tale.history.is_calm = True
    tale.history.silences.append(Silence("p", tale.history.now(), tale.history.now(), "PRODUCE"))


@breaks("waiting readers are woken")
def a_waiting_fetch_is_left_to_its_time_out(tale: Chronicle) -> None:
    tale.history.is_calm = True
    asked = tale.history.now()
    tale.send()
    tale.pass_ms(3_000)
    read = tale.read()
    tale.history.reads[-1] = altered(read, asked=asked)


def _limit(tale: Chronicle, rate: float | None) -> None:
    change = QuotaChange(by="admin", asked=tale.history.now(), client_id="p", key="producer_byte_rate", rate=rate)
    tale.history.tell(change, Outcome.DONE)
    tale.history.quota_changes.append(change)


def _change(tale: Chronicle, kind: TopicChangeKind, **more: object) -> None:
    change = TopicChange(
        by="admin",
        asked=tale.history.now(),
        kind=kind,
        topic="rides",
        topic_id=TOPICS["rides"],
        **more,  # type: ignore[arg-type]  # what one kind of change has and the others do not
    )
    tale.history.tell(change, Outcome.DONE)
    tale.history.topic_changes.append(change)
