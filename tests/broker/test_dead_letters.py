"""Dead letters, and records that come again after a while: what share groups do beyond Kafka 4.3 (KIP-1191)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from drave import records
from drave.broker.sharing import dead_letters
from drave.catalog import Topic
from drave.model.errors import ErrorCode
from drave.records import NewRecord, Record
from drave.wire.messages.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from tests.broker.sharing import ACCEPT, REJECT, RELEASE, Member, settle, subscribe
from tests.broker.still import StillBroker

TOPIC, BROKER, GROUP = 2, 4, 32
LOCK_MS = 30_000
TAKES = "errors.deadletterqueue.group.enable"


def alter(still: StillBroker, kind: int, name: str, **configs: str) -> tuple[int, str | None]:
    """Set configs under Kafka's names, `_` for `.`."""
    named = [
        AlterableConfig(name=key.replace("_", "."), config_operation=0, value=value) for key, value in configs.items()
    ]
    resource = AlterConfigsResource(resource_type=kind, resource_name=name, configs=named)
    (outcome,) = still.ask(IncrementalAlterConfigsRequest(resources=[resource], validate_only=False)).responses
    return outcome.error_code, outcome.error_message


def found(still: StillBroker, name: str, partition: int = 0) -> list[Record]:
    """What a dead-letter topic holds."""
    topic = still.broker.catalog.topic(name)
    assert topic is not None, f"{name} was never made"
    return still.read(topic, partition)


def said(record: Record) -> dict[str, str]:
    """What a letter's headers say."""
    return {key: value.decode() for key, value in record.headers if value is not None}


async def jobs(still: StillBroker, partitions: int = 1, count: int = 4, **configs: str) -> tuple[Topic, Member]:
    """A topic with some records, and the one member of a group that reads it."""
    topic = still.create("jobs", partitions, **configs)
    for partition in range(partitions):
        still.append(topic, *[b"job %d" % number for number in range(count)], partition=partition)
    await subscribe(still, topic)
    return topic, Member(still, topic)


# -- where they go


async def test_a_rejected_record_is_in_the_topics_dead_letter_topic_when_that_is_answered(still: StillBroker) -> None:
    _, member = await jobs(still, drave_dead_letter_topic="failed")
    assert member.take() == [(0, 3, 1)]
    assert await member.give_up((0, 1, ACCEPT), (2, 2, REJECT), (3, 3, ACCEPT)) == ErrorCode.NONE
    (letter,) = found(still, "failed")
    assert (letter.key, letter.value) == (b"key", b"job 2")
    assert said(letter) == {
        "__dlq.errors.topic": "jobs",
        "__dlq.errors.partition": "0",
        "__dlq.errors.offset": "2",
        "__dlq.errors.group": "work",
        "__dlq.errors.delivery.count": "1",
        "__dlq.errors.message": "A consumer rejected it.",
    }
    assert member.take() == []


async def test_a_record_that_was_delivered_too_often_goes_there_too(still: StillBroker) -> None:
    assert alter(still, GROUP, "work", share_delivery_count_limit="2") == (0, None)
    _, member = await jobs(still, count=1, drave_dead_letter_topic="failed")
    assert member.take() == [(0, 0, 1)]
    assert member.say((0, 0, RELEASE)) == ErrorCode.NONE
    assert member.take() == [(0, 0, 2)]
    assert await member.give_up((0, 0, RELEASE)) == ErrorCode.NONE
    (letter,) = found(still, "failed")
    assert said(letter)["__dlq.errors.message"] == "It was delivered 2 times, as often as the group wants it to be."
    assert member.take() == []


async def test_a_lock_that_ends_for_the_last_time_writes_a_letter(still: StillBroker) -> None:
    alter(still, GROUP, "work", share_delivery_count_limit="2")
    _, member = await jobs(still, count=1, drave_dead_letter_topic="failed")
    for count in (1, 2):
        assert member.take() == [(0, 0, count)]
        still.advance(LOCK_MS)
        still.commit()
    await settle(still)
    assert [letter.value for letter in found(still, "failed")] == [b"job 0"]


async def test_a_groups_own_dead_letter_topic_comes_first_and_tells_only_where_the_record_is(
    still: StillBroker,
) -> None:
    """KIP-1191: the record itself is copied when the group says so."""
    alter(still, GROUP, "work", errors_deadletterqueue_topic_name="dlq.work")
    _, member = await jobs(still, drave_dead_letter_topic="failed")
    member.take()
    await member.give_up((0, 0, REJECT))
    (letter,) = found(still, "dlq.work")
    assert (letter.key, letter.value) == (None, None)
    assert said(letter)["__dlq.errors.offset"] == "0"
    assert still.broker.catalog.topic("failed") is None
    alter(still, GROUP, "work", errors_deadletterqueue_copy_record_enable="true")
    await member.give_up((1, 1, REJECT))
    assert found(still, "dlq.work")[1].value == b"job 1"


async def test_a_topic_for_dead_letters_is_made_like_the_records_topic(still: StillBroker) -> None:
    _, member = await jobs(still, partitions=3, drave_dead_letter_topic="failed")
    member.take()
    await member.give_up((0, 0, REJECT), partition=2)
    made = still.broker.catalog.topic("failed")
    assert made is not None
    assert (made.partitions, made.configs) == (3, {TAKES: "true"})
    assert [letter.value for letter in found(still, "failed", 2)] == [b"job 0"]


async def test_fewer_partitions_for_letters_are_shared(still: StillBroker) -> None:
    still.create("failed", 2, errors_deadletterqueue_group_enable="true")
    _, member = await jobs(still, partitions=3, drave_dead_letter_topic="failed")
    member.take()
    await member.give_up((0, 0, REJECT), partition=2)
    assert len(found(still, "failed", 0)) == 1


async def test_a_record_keeps_its_own_headers(still: StillBroker) -> None:
    topic = still.create("jobs", drave_dead_letter_topic="failed")
    still.produce(topic, records.build_batch([NewRecord(b"k", b"v", 5, (("trace", b"1"),))]))
    await subscribe(still, topic)
    member = Member(still, topic)
    member.take()
    await member.give_up((0, 0, REJECT))
    (letter,) = found(still, "failed")
    assert letter.headers[0] == ("trace", b"1")
    assert letter.timestamp == still.clock.now_ms, "its age in this topic begins now"


async def test_many_letters_of_several_batches_keep_their_order(still: StillBroker) -> None:
    topic = still.create("jobs", drave_dead_letter_topic="failed")
    for begin in range(0, 1200, 600):
        still.append(topic, *[b"%d" % number for number in range(begin, begin + 600)])
    await subscribe(still, topic)
    member = Member(still, topic)
    member.take(max_records=1200)
    await member.give_up((0, 1199, REJECT))
    assert [letter.value for letter in found(still, "failed")] == [b"%d" % number for number in range(1200)]


async def test_who_gives_up_one_record_pays_for_no_batch_behind_it(
    still: StillBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = still.create("jobs", drave_dead_letter_topic="failed")
    for number in range(40):
        still.append(topic, b"%d" % number)
    await subscribe(still, topic)
    member = Member(still, topic)
    member.take(max_records=40)
    read: list[int] = []

    def counted(batch: memoryview, header: records.BatchHeader) -> Iterator[Record]:
        read.append(header.base_offset)
        return records.read_records(batch, header)

    monkeypatch.setattr(dead_letters, "read_records", counted)
    await member.give_up((7, 7, REJECT), (20, 21, REJECT))
    assert read == [7, 20, 21]
    assert [letter.value for letter in found(still, "failed")] == [b"7", b"20", b"21"]


async def test_records_that_cannot_be_read_leave_a_letter_with_their_place(still: StillBroker) -> None:
    topic = still.create("jobs", drave_dead_letter_topic="failed")
    batch = bytearray(records.build_batch([(b"k", b"v")]))
    batch[records.HEADER_SIZE] ^= 0xFF  # no record any more; the broker believes the header
    header = records.parse_header(batch)
    still.log(topic).append(batch, header, now_ms=0)
    still.commit()
    await subscribe(still, topic)
    member = Member(still, topic)
    member.take()
    await member.give_up((0, 0, REJECT))
    (letter,) = found(still, "failed")
    assert (letter.value, said(letter)["__dlq.errors.offset"]) == (None, "0")


# -- the law


async def test_while_its_letter_is_not_durable_a_record_has_not_gone(still: StillBroker) -> None:
    topic, member = await jobs(still, count=1, drave_dead_letter_topic="failed")
    member.take()
    call = still.send(member.acknowledgement((0, 0, REJECT)), 2)
    assert not call.is_answered
    other = Member(still, topic, name="b")
    assert other.take() == [], "and nobody else gets it"


async def test_a_letter_that_the_disk_refuses_brings_the_record_once_more(
    still: StillBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, member = await jobs(still, count=1, drave_dead_letter_topic="failed")
    member.take()
    file_of = still.disk.open

    def full(path: Any, **options: Any) -> Any:
        if path.parent.name.startswith("failed"):
            raise OSError(28, "No space left on device")
        return file_of(path, **options)

    monkeypatch.setattr(still.disk, "open", full)
    assert await member.give_up((0, 0, REJECT)) == ErrorCode.KAFKA_STORAGE_ERROR
    assert "dead letters of jobs-0 could not be written, the records come again" in caplog.text
    monkeypatch.undo()
    assert member.take() == [(0, 0, 1)]
    assert await member.give_up((0, 0, REJECT)) == ErrorCode.NONE
    assert [letter.value for letter in found(still, "failed")] == [b"job 0"]


# -- where they may not go


@pytest.mark.parametrize(
    ("configs", "why"),
    [
        ({}, "failed takes none; set errors.deadletterqueue.group.enable=true on it."),
        ({"errors_deadletterqueue_group_enable": "true", "cleanup_policy": "compact"}, "failed is compacted"),
    ],
)
async def test_a_topic_that_takes_no_letters_gets_none_and_that_is_said_once(
    still: StillBroker, caplog: pytest.LogCaptureFixture, configs: dict[str, str], why: str
) -> None:
    still.create("failed", **configs)
    _, member = await jobs(still, drave_dead_letter_topic="failed")
    member.take()
    assert await member.give_up((0, 0, REJECT)) == ErrorCode.NONE
    assert await member.give_up((1, 1, REJECT)) == ErrorCode.NONE
    assert found(still, "failed") == []
    assert caplog.text.count(f"what share group 'work' gives up of jobs goes without dead letters: {why}") == 1


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("errors.deadletterqueue.topic.name.prefix", "dlq.", "letters does not begin with 'dlq.'"),
        ("errors.deadletterqueue.auto.create.topics.enable", "false", "there is no topic letters"),
    ],
)
async def test_the_broker_says_what_may_be_a_topic_for_letters(
    still: StillBroker, caplog: pytest.LogCaptureFixture, setting: str, value: str, why: str
) -> None:
    """KIP-1191. The records have gone, as where a topic takes no letters."""
    assert alter(still, BROKER, "", **{setting: value}) == (ErrorCode.NONE, None)
    _, a = await jobs(still, drave_dead_letter_topic="letters")
    a.take()
    assert await a.give_up((0, 3, REJECT)) == ErrorCode.NONE
    assert still.broker.catalog.topic("letters") is None
    assert why in caplog.text
    assert setting in caplog.text


async def test_a_topic_for_letters_with_the_brokers_prefix_is_made(still: StillBroker) -> None:
    alter(still, BROKER, "", errors_deadletterqueue_topic_name_prefix="dlq.")
    _, a = await jobs(still, drave_dead_letter_topic="dlq.jobs")
    a.take()
    await a.give_up((0, 0, REJECT))
    assert len(found(still, "dlq.jobs")) == 1


async def test_a_dead_letter_that_is_given_up_is_gone(still: StillBroker) -> None:
    """Otherwise letters could go round in a circle."""
    alter(still, GROUP, "work", errors_deadletterqueue_topic_name="dlq.work")
    _, member = await jobs(still, errors_deadletterqueue_group_enable="true")
    member.take()
    assert member.say((0, 0, REJECT)) == ErrorCode.NONE
    assert still.broker.catalog.topic("dlq.work") is None


async def test_a_topic_cannot_be_its_own_dead_letter_topic(still: StillBroker) -> None:
    still.create("jobs")
    code, message = alter(still, TOPIC, "jobs", drave_dead_letter_topic="jobs")
    assert code == ErrorCode.INVALID_CONFIG
    assert message == "drave.dead.letter.topic = 'jobs': a topic cannot take its own dead letters; name another"


async def test_a_topic_that_takes_dead_letters_sends_none(still: StillBroker) -> None:
    still.create("failed", errors_deadletterqueue_group_enable="true")
    code, message = alter(still, TOPIC, "failed", drave_dead_letter_topic="jobs")
    assert code == ErrorCode.INVALID_CONFIG
    assert message is not None
    assert "sends none" in message


@pytest.mark.parametrize("name", ["__consumer_offsets", ".", "a b", "x" * 250])
async def test_what_is_no_topics_name_is_refused(still: StillBroker, name: str) -> None:
    still.create("jobs")
    assert alter(still, TOPIC, "jobs", drave_dead_letter_topic=name)[0] == ErrorCode.INVALID_CONFIG
    assert alter(still, GROUP, "work", errors_deadletterqueue_topic_name=name)[0] == ErrorCode.INVALID_CONFIG


# -- once more, after a while


async def test_a_released_record_comes_again_after_the_topics_delay(still: StillBroker) -> None:
    _, member = await jobs(still, drave_redelivery_delay_ms="5000")
    member.take()
    member.say((0, 3, RELEASE))
    assert member.take() == []
    waiting = member.send(max_wait_ms=60_000)
    still.advance(4_999)
    assert not waiting.is_answered
    still.advance(1)
    assert waiting.is_answered
    (topic,) = waiting.response.responses
    (part,) = topic.partitions
    assert [(each.first_offset, each.last_offset, each.delivery_count) for each in part.acquired_records] == [(0, 3, 2)]


async def test_a_record_that_was_held_for_too_long_waits_too_and_others_do_not(still: StillBroker) -> None:
    topic, member = await jobs(still, drave_redelivery_delay_ms="5000")
    member.take()
    still.advance(LOCK_MS)
    still.append(topic, b"new")
    other = Member(still, topic, name="b")
    assert other.take() == [(4, 4, 1)]
    still.advance(5_000)
    assert other.take() == [(0, 3, 2)]


async def test_a_released_record_waits_also_when_the_last_member_has_gone_meanwhile(still: StillBroker) -> None:
    topic, member = await jobs(still, drave_redelivery_delay_ms="5000")
    call = member.send()
    assert member.say((0, 1, RELEASE)) == ErrorCode.NONE
    still.broker.sharing.gone(call.connection)
    still.commit()
    other = Member(still, topic, name="b")
    assert other.take() == []
    still.advance(5_000)
    assert other.take() == [(0, 3, 2)]


async def test_another_delay_counts_for_what_is_released_from_then_on(still: StillBroker) -> None:
    _, member = await jobs(still, drave_redelivery_delay_ms="5000")
    member.take()
    assert alter(still, TOPIC, "jobs", drave_redelivery_delay_ms="0") == (0, None)
    member.say((0, 3, RELEASE))
    assert member.take() == [(0, 3, 2)]


# -- delayed delivery


async def test_a_share_group_is_given_a_delayed_record_when_it_is_due(still: StillBroker) -> None:
    topic = still.create("jobs", drave_delivery_delay_ms="60000")
    still.append(topic, b"job")
    await subscribe(still, topic)
    member = Member(still, topic)
    assert member.take() == []
    still.advance(60_000)
    still.commit()
    assert member.take() == [(0, 0, 1)]
