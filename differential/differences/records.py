"""What is written and read: Produce, Fetch, ListOffsets, epochs."""

from __future__ import annotations

from typing import Final

from differential.compare import ABSENT
from differential.differences.usual import (
    IN_PRODUCE,
    duplicates_have_their_own_time,
    errors_have_no_aborted_transactions,
    refusals_say_why,
    refused_batches_have_no_place,
    topics_without_partitions_have_none,
)
from differential.judging import Reason

REASONS: Final = (
    # -- Produce
    refusals_say_why("k00_produce/*", readme=IN_PRODUCE),
    topics_without_partitions_have_none("k00_produce/nothing_at_all*", "2.Produce.responses*"),
    Reason(
        cases="k00_produce/null_records*",
        place="1.Produce*",
        why="Kafka never answers, and the client waits for nothing",
        readme="null records in a Produce",
    ),
    Reason(
        cases="k00_produce/the_same_partition_twice*",
        place="*",
        why="what was sent is not dropped without a word",
        readme="the same partition twice in a Produce",
    ),
    Reason(
        cases="k00_produce/an_odd_batch(odd=followed_by_a_byte,*",
        place="*",
        why="bytes that are no batch are a mistake, however few they are",
        readme="bytes behind a batch in a Produce",
    ),
    Reason(
        cases="k00_produce/an_odd_batch(odd=followed_by_17_bytes,*",
        place="*.error_code",
        kafka="CORRUPT_MESSAGE",
        drave="INVALID_RECORD",
        why="more than one batch is noticed before the second one is looked at",
    ),
    Reason(
        cases="k00_produce/an_odd_batch(odd=codec_is_*",
        place="*",
        why="Kafka fails with an internal error where it means to refuse",
        readme="unknown codec",
    ),
    Reason(
        cases="k00_produce/an_odd_batch(odd=claims_gzip_and_is_not,*",
        place="*",
        why="batches are not opened: their header is believed once their CRC holds",
        readme="record data of an ordinary topic",
    ),
    Reason(
        cases="k00_produce/an_odd_batch(odd=claims_append_time,*",
        place="*",
        why="a client cannot know when the broker appends",
        readme="LogAppendTime bit on a batch for a CreateTime topic",
    ),
    Reason(
        cases="k00_produce/an_odd_batch(odd=claims_to_be_transactional,*",
        place="1.Produce.*.error_code",
        kafka="TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        drave="INVALID_RECORD",
        why="a transactional batch without a producer is nobody's: no id was refused",
    ),
    Reason(
        cases="k00_produce/an_odd_batch(odd=producer_without_epoch,*",
        place="*",
        why="Kafka stores what no client sends: a producer without an epoch cannot be fenced",
    ),
    Reason(
        cases="k00_produce/timestamps_near_and_far(*time_ms=-2)",
        place="2.Fetch.*.times.1",
        kafka=-1,
        drave=-2,
        why="the batch is stored as it was sent; Kafka mends the maximum of a time that cannot be",
    ),
    refused_batches_have_no_place("k00_produce/*", kafka=0),
    # -- Fetch
    errors_have_no_aborted_transactions("k01_fetch/*"),
    Reason(
        cases="k01_fetch/partition_max_bytes(*size=-1)",
        place="1.Fetch.*",
        why="a bound below nothing is nothing, and one batch comes all the same; Kafka fails with an internal error",
    ),
    Reason(
        cases="k01_fetch/an_unknown_isolation_level*",
        place="1.Fetch.*",
        why="Kafka fails with an internal error; what is not read_committed is read_uncommitted",
    ),
    Reason(
        cases="k01_fetch/current_leader_epoch(*epoch=-2)",
        place="1.Fetch.*",
        why="an epoch below -1 is older than the log's, as it is in ListOffsets in Kafka too",
    ),
    Reason(
        cases="k01_fetch/a_topic_is_deleted_under_a_session*",
        place="2.Fetch.*.error_code",
        kafka="UNKNOWN_TOPIC_OR_PARTITION",
        drave="UNKNOWN_TOPIC_ID",
        why="from the version on that asks by id, the id is what is unknown; Kafka remembers the name in its session",
    ),
    Reason(
        cases="k01_fetch/as_a_replica*",
        place="1.Fetch.*",
        why="there are no followers: whoever asks reads what consumers may read",
    ),
    # -- ListOffsets
    Reason(
        cases="k02_list_offsets/after_all_records_were_deleted(*timestamp=-3)",
        place="1.ListOffsets.*",
        why="what was deleted is not found",
        readme="ListOffsets by maximum timestamp, all records deleted",
    ),
    Reason(
        cases="k02_list_offsets/records_without_timestamps(*timestamp=-3)",
        place="1.ListOffsets.*",
        drave=ABSENT,
        why="records without a time have no largest one",
    ),
    Reason(
        cases="k02_list_offsets/the_same_partition_twice*",
        place="1.ListOffsets.*.1.*",
        kafka=ABSENT,
        why="each mention is answered",
    ),
    topics_without_partitions_have_none("k02_list_offsets/nothing_at_all*", "2.ListOffsets.topics*"),
    # -- epochs
    Reason(
        cases="k23_offset_for_leader_epoch/epochs_of_a_log(*epoch=-2)",
        place="1.OffsetForLeaderEpoch.*",
        why="an epoch that never was has no end",
    ),
    # -- random programs
    refusals_say_why("programs/records", readme=IN_PRODUCE),
    refused_batches_have_no_place("programs/records", place="*.Produce.*.log_start_offset"),
    duplicates_have_their_own_time("programs/records", place="*.Produce.*.log_append_time_ms"),
    errors_have_no_aborted_transactions("programs/records", place="*.Fetch.*.aborted_transactions"),
)
