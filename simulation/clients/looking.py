"""The last look: when everything has healed and all clients have ended, what is there?

It waits until no transaction is open any more, and reads every partition twice: everything, and what is committed.
"""

from __future__ import annotations

from typing import Final

from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.wire.api import ApiKey
from drave.wire.messages.k03_metadata import MetadataRequest, MetadataResponse
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from drave.wire.messages.k32_describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from drave.wire.messages.k66_list_transactions import ListTransactionsRequest, ListTransactionsResponse
from drave.wire.messages.k69_consumer_group_describe import ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse
from simulation.clients.administering import TOPIC_RESOURCE
from simulation.clients.caller import Caller, Unanswered
from simulation.clients.limiting import quotas_of_clients
from simulation.clients.offsets import find
from simulation.clients.reading import EARLIEST, LATEST, Fetcher, look_up
from simulation.clients.streaming import described
from simulation.history import Ending, Partition, PartitionEnding, Read, TopicEnding

SETTLING_MS: Final = 60_000
"""Longer than any transaction may take."""
LOOK_EVERY_MS: Final = 1_000
_OPEN: Final = frozenset({"Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence"})


async def look(caller: Caller) -> Ending:
    """What is there."""
    caller.version(ApiKey.METADATA, low=10)
    caller.version(ApiKey.FETCH, low=13)
    caller.version(ApiKey.LIST_OFFSETS, low=2)
    ending = Ending(since=caller.history.now())
    topics = await _topics(caller)
    places = [
        Partition(name, topic.topic_id, index) for name, topic in topics.items() for index in range(topic.partitions)
    ]
    ending.topics = topics
    ending.quotas = await quotas_of_clients(caller)
    await _settle(caller, ending, places)
    for place in places:
        ending.partitions[place] = await _partition(caller, place)
    for group in sorted({each.group for each in caller.history.commits}):
        await find(caller, group, places)
    await _times(caller, ending)
    ending.at = caller.history.now()
    return ending


async def _topics(caller: Caller) -> dict[str, TopicEnding]:
    reply: MetadataResponse = await caller.insist(MetadataRequest(topics=None, allow_auto_topic_creation=False))
    found = {
        topic.name: TopicEnding(TopicId(topic.topic_id), len(topic.partitions))
        for topic in sorted(reply.topics, key=lambda each: each.name or "")
        if topic.name and not topic.is_internal and topic.error_code == ErrorCode.NONE
    }
    resources = [
        DescribeConfigsResource(resource_type=TOPIC_RESOURCE, resource_name=name, configuration_keys=None)
        for name in found
    ]
    if resources:
        described: DescribeConfigsResponse = await caller.insist(DescribeConfigsRequest(resources=resources))
        for result in described.results:
            found[result.resource_name].configs = {each.name: each.value or "" for each in result.configs}
    return found


async def _settle(caller: Caller, ending: Ending, places: list[Partition]) -> None:
    """Wait until every transaction has ended and every member has gone, as each does in the end by its time-out."""
    for _ in range(SETTLING_MS // LOOK_EVERY_MS):
        reply: ListTransactionsResponse = await caller.insist(
            ListTransactionsRequest(state_filters=[], producer_id_filters=[])
        )
        ending.ongoing = [each.transactional_id for each in reply.transaction_states if each.transaction_state in _OPEN]
        ending.members = await _members(caller)
        ends = await look_up(caller, places, LATEST)
        stable = await look_up(caller, places, LATEST, committed_only=True)
        still = not ending.ongoing and not any(ending.members.values())
        if still and all(stable[place].offset == ends[place].offset for place in places):
            return
        await caller.world.sleep(LOOK_EVERY_MS)


async def _members(caller: Caller) -> dict[str, int]:
    """How many members each group has that ever had one."""
    groups = sorted({joined.group for joined in caller.history.joined})
    reply: DescribeGroupsResponse = await caller.insist(DescribeGroupsRequest(groups=groups))
    members = {group.group_id: len(group.members) for group in reply.groups}
    streaming = sorted({each.by.group for each in caller.history.epochs})
    for group in streaming:
        members[group] = len((await described(caller, group)).members)
    consuming = sorted({held.by.group for held in caller.history.held} - set(streaming))
    if consuming:
        asked = ConsumerGroupDescribeRequest(group_ids=consuming, include_authorized_operations=False)
        found: ConsumerGroupDescribeResponse = await caller.insist(asked)
        members |= {group.group_id: len(group.members) for group in found.groups}
    return members


async def _partition(caller: Caller, place: Partition) -> PartitionEnding:
    everything = await _read(caller, place, committed_only=False)
    committed = await _read(caller, place, committed_only=True)
    last = everything[-1]
    skipped = {
        record.offset for read in committed for batch in read.batches if not batch.committed for record in batch.records
    }
    batches = [
        batch._replace(committed=not batch.control and not any(each.offset in skipped for each in batch.records))
        for read in everything
        for batch in read.batches
    ]
    return PartitionEnding(
        last.log_start,
        last.last_stable_offset,
        last.high_watermark,
        batches,
        [record for read in committed for batch in read.batches if batch.committed for record in batch.records],
    )


async def _read(caller: Caller, place: Partition, *, committed_only: bool) -> list[Read]:
    """A partition from its start to its end."""
    fetcher = Fetcher(caller, committed_only=committed_only)
    position = (await look_up(caller, [place], EARLIEST))[place].offset
    reads: list[Read] = []
    while True:
        try:
            found = await fetcher.fetch({place: position}, wait_ms=0)
        except Unanswered:
            continue
        if fetcher.out_of_range:  # retention goes on
            position = (await look_up(caller, [place], EARLIEST))[place].offset
            reads.clear()
        for read in found:
            reads.append(read)
            end = read.last_stable_offset if committed_only else read.high_watermark
            if read.next_position >= end or read.next_position == position:
                return reads
            position = read.next_position


async def _times(caller: Caller, ending: Ending) -> None:
    """Look up the times of some records: what is found is held against what was read."""
    for place, found in ending.partitions.items():
        if "delete" not in ending.topics[place.topic].configs["cleanup.policy"]:
            continue  # compaction goes on meanwhile
        times = sorted(
            {record.timestamp_ms for batch in found.batches if not batch.control for record in batch.records}
        )
        for timestamp_ms in caller.random.sample(times, min(len(times), 2)):
            await look_up(caller, [place], timestamp_ms)
            await look_up(caller, [place], timestamp_ms + 1)
