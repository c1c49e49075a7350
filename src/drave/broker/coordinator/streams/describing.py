"""A streams group as tools see it, and as interactive queries need it."""

from __future__ import annotations

from collections.abc import Iterable

from drave.broker.coordinator.group import TopicsImage
from drave.broker.coordinator.streams.assignor import STICKY
from drave.broker.coordinator.streams.configuring import Configuration, ConfiguredSubtopology, InternalTopic
from drave.broker.coordinator.streams.group import StreamsGroup
from drave.broker.coordinator.streams.member import StreamsMember
from drave.broker.coordinator.streams.tasks import NOTHING, HeldTasks, TaskId, Tasks, by_subtopology
from drave.broker.coordinator.streams.topology import InvalidTopology, Topology
from drave.wire.messages import k89_streams_group_describe as described
from drave.wire.messages.k88_streams_group_heartbeat import EndpointToPartitions, Subtopology, TopicInfo, TopicPartition

# -- StreamsGroupDescribe


def describe(group: StreamsGroup) -> described.DescribedGroup:
    """All that tools are shown of a group."""
    return described.DescribedGroup(
        group_id=group.group_id,
        group_state=group.state,
        group_epoch=group.epoch,
        assignment_epoch=group.target_epoch,
        topology=None if group.topology is None else _topology(group, group.topology),
        members=[_member(member, group.targets.get(member.member_id, NOTHING)) for member in group.members.values()],
        assignor_name=STICKY,
    )


def _topology(group: StreamsGroup, topology: Topology) -> described.Topology:
    """With the numbers of partitions where the topics fit, else as it was told."""
    try:
        configuration = group.configured(topology).configuration
    except InvalidTopology:
        configuration = Configuration()
    if configuration.is_ready and configuration.subtopologies:
        subtopologies = [_configured(each) for each in configuration.subtopologies.values()]
    else:
        subtopologies = [_told(each) for each in topology.subtopologies.values()]
    return described.Topology(epoch=topology.epoch, subtopologies=subtopologies)


def _configured(subtopology: ConfiguredSubtopology) -> described.Subtopology:
    return described.Subtopology(
        subtopology_id=subtopology.subtopology_id,
        source_topics=list(subtopology.sources),
        repartition_sink_topics=list(subtopology.repartition_sinks),
        state_changelog_topics=list(map(_internal_topic, subtopology.changelogs)),
        repartition_source_topics=list(map(_internal_topic, subtopology.repartition_sources)),
    )


def _internal_topic(topic: InternalTopic) -> described.TopicInfo:
    return described.TopicInfo(
        name=topic.name,
        partitions=topic.partitions,
        replication_factor=topic.replication_factor,
        topic_configs=[described.KeyValue(key=key, value=value) for key, value in topic.configs.items()],
    )


def _told(subtopology: Subtopology) -> described.Subtopology:
    return described.Subtopology(
        subtopology_id=subtopology.subtopology_id,
        source_topics=sorted(subtopology.source_topics),
        repartition_sink_topics=sorted(subtopology.repartition_sink_topics),
        state_changelog_topics=_told_topics(subtopology.state_changelog_topics),
        repartition_source_topics=_told_topics(subtopology.repartition_source_topics),
    )


def _told_topics(infos: list[TopicInfo]) -> list[described.TopicInfo]:
    return [
        described.TopicInfo(
            name=info.name,
            partitions=info.partitions,
            replication_factor=info.replication_factor,
            topic_configs=[described.KeyValue(key=config.key, value=config.value) for config in info.topic_configs],
        )
        for info in sorted(infos, key=lambda info: info.name)
    ]


def _member(member: StreamsMember, target: Tasks) -> described.Member:
    said = member.said
    endpoint = said.user_endpoint
    return described.Member(
        member_id=member.member_id,
        member_epoch=member.member_epoch,
        instance_id=said.instance_id,
        rack_id=said.rack_id,
        client_id=said.client_id,
        client_host=said.client_host,
        topology_epoch=said.topology_epoch,
        process_id=said.process_id,
        user_endpoint=None if endpoint is None else described.Endpoint(host=endpoint.host, port=endpoint.port),
        client_tags=[described.KeyValue(key=tag.key, value=tag.value) for tag in said.client_tags],
        task_offsets=[],
        task_end_offsets=[],
        assignment=_assignment(member.tasks),
        target_assignment=_assignment(target),
        is_classic=False,
    )


def _assignment(tasks: Tasks | HeldTasks) -> described.Assignment:
    return described.Assignment(
        active_tasks=_tasks(tasks.active),
        standby_tasks=_tasks(tasks.standby),
        warmup_tasks=_tasks(tasks.warmup),
    )


def _tasks(tasks: Iterable[TaskId]) -> list[described.TaskIds]:
    return [
        described.TaskIds(subtopology_id=subtopology_id, partitions=partitions)
        for subtopology_id, partitions in by_subtopology(tasks).items()
    ]


# -- interactive queries


def endpoints(
    members: Iterable[StreamsMember], configuration: Configuration, topics: TopicsImage
) -> list[EndpointToPartitions]:
    """Where the state of which partitions can be asked for."""
    return [
        EndpointToPartitions(
            user_endpoint=member.said.user_endpoint,
            active_partitions=_inputs(member.tasks.active, configuration, topics),
            standby_partitions=_inputs(member.tasks.standby | member.tasks.warmup, configuration, topics),
        )
        for member in members
        if member.said.user_endpoint is not None
    ]


def _inputs(tasks: Iterable[TaskId], configuration: Configuration, topics: TopicsImage) -> list[TopicPartition]:
    found: list[TopicPartition] = []
    for subtopology_id, partitions in by_subtopology(tasks).items():
        subtopology = configuration.subtopologies.get(subtopology_id)
        for name in () if subtopology is None else subtopology.inputs:
            topic = topics.topic(name)
            there = 0 if topic is None else topic.partitions
            # An input that is narrower than others has nothing for the last tasks.
            found.append(TopicPartition(topic=name, partitions=[index for index in partitions if index < there]))
    return found
