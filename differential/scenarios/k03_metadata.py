"""Metadata: by name, by id, of all, of none, and topics that are made by asking."""

from __future__ import annotations

from differential.calls import delete_topics, metadata
from differential.scenario import scenario
from differential.stage import Stage
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.wire.api import ApiKey
from drave.wire.messages.k03_metadata import MetadataRequest, MetadataRequestTopic

METADATA = ApiKey.METADATA


@scenario(METADATA)
def topics_by_name(stage: Stage, version: int) -> None:
    first, second = stage.topic("a", partitions=3), stage.topic("b")
    stage.ask(metadata(first, second), version)


@scenario(METADATA, since=1)
def no_topics(stage: Stage, version: int) -> None:
    stage.ask(metadata(), version)


@scenario(METADATA)
def all_topics(stage: Stage, version: int) -> None:
    stage.topic()
    stage.ask(MetadataRequest(topics=[] if version == 0 else None), version, mine=True)


@scenario(METADATA, since=4)
def an_unknown_topic_is_not_made(stage: Stage, version: int) -> None:
    stage.ask(metadata(stage.name("nowhere")), version)
    stage.ask(metadata(stage.name("nowhere")), version)


@scenario(METADATA)
def an_unknown_topic_is_made(stage: Stage, version: int) -> None:
    """The first answer is Kafka's own affair; what is there a moment later is not."""
    stage.quietly(metadata(stage.name("made"), create=True), version)
    topic = stage.ready("made", partitions=2)
    stage.ask(metadata(topic, create=True), version)


@scenario(METADATA)
def the_first_answer_for_a_topic_that_is_made(stage: Stage, version: int) -> None:
    stage.ask(metadata(stage.name("made"), create=True), version)


@scenario(METADATA, name=("", ".", "..", "a b", "a/b", "ü", "a" * 250, "a" * 243))
def names_that_no_topic_can_have(stage: Stage, version: int, name: str) -> None:
    name = name if len(name) < 3 else stage.name(name)
    if version >= 4:
        stage.ask(metadata(name), version)
    stage.ask(metadata(name, create=True), version)


@scenario(METADATA, since=10)
def by_id(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(MetadataRequest(topics=[MetadataRequestTopic(name=None, topic_id=topic.id)]), version)
    stage.ask(MetadataRequest(topics=[MetadataRequestTopic(name=None, topic_id=TopicId(b"\7" * 16))]), version)
    stage.ask(MetadataRequest(topics=[MetadataRequestTopic(name=None, topic_id=ZERO_TOPIC_ID)]), version)
    stage.ask(MetadataRequest(topics=[MetadataRequestTopic(name=topic.name, topic_id=topic.id)]), version)


@scenario(METADATA, since=12)
def by_id_and_by_name_at_once(stage: Stage, version: int) -> None:
    first, second = stage.topic("a"), stage.topic("b")
    wanted = [MetadataRequestTopic(name=None, topic_id=first.id), MetadataRequestTopic(name=second.name)]
    stage.ask(MetadataRequest(topics=wanted), version)


@scenario(METADATA)
def the_same_topic_twice(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(metadata(topic, topic), version)


@scenario(METADATA)
def a_deleted_topic(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    if version >= 4:
        stage.ask(metadata(topic), version)
    if version >= 12:
        stage.ask(MetadataRequest(topics=[MetadataRequestTopic(name=None, topic_id=topic.id)]), version)


@scenario(METADATA, since=8)
def authorized_operations(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(metadata(topic, include_topic_authorized_operations=True), version)
    if version <= 10:
        stage.ask(metadata(topic, include_cluster_authorized_operations=True), version)


@scenario(METADATA)
def the_internal_topic(stage: Stage, version: int) -> None:
    stage.group()
    stage.ask(metadata("__consumer_offsets"), version)
