"""Share groups and their partitions."""

from __future__ import annotations

from typing import Final

from differential.differences.usual import refusals_say_why
from differential.judging import Reason

REASONS: Final = (
    # -- share groups
    refusals_say_why("share_groups/a_heartbeat_that_is_wrong_by_itself*", place="1.ShareGroupHeartbeat.error_message"),
    refusals_say_why(
        "share_groups/the_coordinator_of_a_share_partition*",
        place="1.FindCoordinator.coordinators.*.error_message",
        kafka="",
    ),
    # -- share-partitions
    refusals_say_why("share_partitions/*", place="*error_message", readme="`error_message` in ShareFetch"),
    Reason(
        cases="share_partitions/exactly_as_many*",
        place="*.acquired_records.*",
        why="the same records, in fewer ranges: what a record limit has left behind is no unit of its own",
    ),
    Reason(
        cases="share_partitions/unknown_topics_and_partitions*",
        place="*",
        why="Kafka fails with an internal error where it means to refuse",
        readme="ShareFetch of a topic that is not there",
    ),
    Reason(
        cases="share_partitions/a_deleted_topic*",
        place="2.ShareFetch*",
        why="Kafka fails with an internal error where it means to refuse",
        readme="ShareFetch of a topic that is not there",
    ),
    Reason(
        cases="share_partitions/deleted_records*",
        place="2.Came.0.0.0",
        kafka=4,
        drave=6,
        why="a deleted record is delivered to nobody, though its batch is still there",
        readme="deleted records in a batch that is still there, in a share group",
    ),
)
