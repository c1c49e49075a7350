"""Classic, consumer and streams groups, and what they have committed."""

from __future__ import annotations

from typing import Final

from differential.differences.usual import topics_without_partitions_have_none
from differential.judging import Reason

REASONS: Final = (
    # -- groups
    Reason(
        cases="group_administration/the_same_group_is_described_twice*",
        place="*.DescribeGroups.groups*",
        why="a few bytes of a request would have a large answer each time",
        readme="a group, an id or a resource named twice in a request that describes",
    ),
    Reason(
        cases="groups/without_protocols*",
        place="4.DescribeGroups.*",
        why="a join that was refused leaves no group behind",
    ),
    Reason(
        cases="groups/the_same_protocol_twice*",
        place="*.JoinGroup*",
        why="the first one counts; Kafka never answers, and its group is stuck until the rebalance times out",
    ),
    topics_without_partitions_have_none("offsets/nothing_to_commit*", "2.OffsetCommit.topics*"),
    # -- consumer groups
    Reason(
        cases="consumer_groups/*",
        place="*.heartbeat_interval_ms",
        kafka=5000,
        drave=500,
        why="while a group comes together its members are to be heard from sooner, and have their parts sooner",
        readme="heartbeat interval of a consumer group that comes together",
    ),
    Reason(
        cases="consumer_groups/fetches_of_a_member*",
        place="8.OffsetFetch.groups.group.error_code",
        kafka="UNKNOWN_SERVER_ERROR",
        drave="UNKNOWN_MEMBER_ID",
        why="an epoch without a member's id is nobody's",
    ),
    # -- streams groups
    Reason(
        cases="streams_groups/*",
        place="*.StreamsGroupHeartbeat.heartbeat_interval_ms",
        kafka=5000,
        drave=500,
        why="members are to be heard from sooner while their group comes together",
        readme="heartbeats of members of a streams group",
    ),
    Reason(
        cases="streams_groups/an_odd_topology(odd=_named_twice)",
        place="1.StreamsGroupHeartbeat.error_*",
        why="a topology that cannot be is refused as one, with what is wrong with it",
        readme="a topology of Kafka Streams that cannot be",
    ),
    Reason(
        cases="streams_groups/an_odd_topology(odd=_an_odd_*)",
        place="1.StreamsGroupHeartbeat.error_*",
        why="a topology that cannot be is refused as one, with what is wrong with it",
        readme="a topology of Kafka Streams that cannot be",
    ),
    Reason(
        cases="streams_groups/a_changelog_that_is_there(changelog=2)",
        place="3.StreamsGroupDescribe.*.state_changelog_topics.c.partitions",
        kafka=0,
        drave=2,
        why="Kafka shows how wide a changelog is once it has written something else about the group",
    ),
)
