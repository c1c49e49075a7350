"""Where Drave differs on purpose, and why.

Each reason names the cases and the places it speaks of, as patterns in which `*` is anything. What is found and is not
here is a failure; what is here and is not found is one too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from differential.compare import ABSENT, Difference

ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One difference on purpose: where it shows, what both answer (ANY where that varies), and why."""

    cases: str
    place: str
    kafka: Any = ANY
    drave: Any = ANY
    why: str
    readme: str | None = None
    """How its row in README's table begins; None where no client can notice."""

    def covers(self, found: Difference) -> bool:
        return (
            fnmatchcase(found.case, self.cases)
            and fnmatchcase(found.place, self.place)
            and (self.kafka == ANY or self.kafka == found.kafka)
            and (self.drave == ANY or self.drave == found.drave)
        )


MORE_CONFIGS: Final = "configs of a topic that begin with `drave.` or `errors.`"

ON_PURPOSE: Final = (
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
    # -- share groups
    Reason(
        cases="share_groups/a_heartbeat_that_is_wrong_by_itself*",
        place="1.ShareGroupHeartbeat.error_message",
        kafka=ABSENT,
        drave="...",
        why="a refusal says why",
    ),
    Reason(
        cases="share_groups/the_coordinator_of_a_share_partition*",
        place="1.FindCoordinator.coordinators.*.error_message",
        kafka="",
        drave="...",
        why="a refusal says why",
    ),
    # -- share-partitions
    Reason(
        cases="share_partitions/*",
        place="*error_message",
        kafka=ABSENT,
        drave="...",
        why="a refusal says why",
        readme="`error_message` in ShareFetch",
    ),
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
    # -- Produce
    Reason(
        cases="k00_produce/*",
        place="*.error_message",
        kafka=ABSENT,
        drave="...",
        why="a refusal says why",
        readme="`error_message` in Produce",
    ),
    Reason(
        cases="k00_produce/nothing_at_all*",
        place="2.Produce.responses*",
        why="a topic that is named without partitions is answered without partitions",
    ),
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
    Reason(
        cases="k00_produce/*",
        place="*Produce.*.log_start_offset",
        kafka=0,
        drave=ABSENT,
        why="a refused batch has no place in the log; Kafka tells the log's start with some refusals only",
    ),
    # -- Fetch
    Reason(
        cases="k01_fetch/*",
        place="*.aborted_transactions",
        kafka=[],
        drave=ABSENT,
        why="with an error there is no list of aborted transactions, not even an empty one",
    ),
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
    Reason(
        cases="k02_list_offsets/nothing_at_all*",
        place="2.ListOffsets.topics*",
        why="a topic that is named without partitions is answered without partitions",
    ),
    # -- Metadata, ApiVersions
    Reason(
        cases="k03_metadata/the_first_answer_for_a_topic_that_is_made*",
        place="1.Metadata.topics*",
        why="the topic is there when the answer leaves",
        readme="auto-created topic",
    ),
    Reason(
        cases="k03_metadata/by_id(*",
        place="3.Metadata.*",
        why="a topic with neither name nor id is refused by itself; Kafka fails with an internal error",
    ),
    Reason(
        cases="k18_api_versions/versions_of_a_key*",
        place="1.versions*",
        drave=ABSENT,
        why="what is not served is not advertised",
    ),
    Reason(
        cases="k18_api_versions/versions_of_a_key*",
        place="1.versions",
        kafka=ABSENT,
        drave=[],
        why="what is not served is not advertised",
    ),
    Reason(
        cases="k18_api_versions/versions_of_a_key*key=API_VERSIONS)",
        place="1.versions.0.1",
        kafka=4,
        drave=5,
        why="Kafka 4.4's version",
    ),
    Reason(
        cases="k18_api_versions/versions_of_a_key*key=DELETE_GROUPS)",
        place="1.versions.0.1",
        kafka=2,
        drave=3,
        why="Kafka 4.4's version",
    ),
    Reason(
        cases="k18_api_versions/versions_of_a_key*key=TXN_OFFSET_COMMIT)",
        place="1.versions.0.1",
        kafka=5,
        drave=6,
        why="Kafka 4.4's version",
    ),
    Reason(
        cases="k18_api_versions/versions_of_a_key*key=STREAMS_GROUP_*)",
        place="1.versions.0.1",
        kafka=0,
        drave=1,
        why="Kafka 4.4's version",
    ),
    # -- producers
    Reason(
        cases="k22_init_producer_id/*",
        place="*Produce.*.error_message",
        kafka=ABSENT,
        drave="...",
        why="a refusal says why",
        readme="`error_message` in Produce",
    ),
    Reason(
        cases="k22_init_producer_id/*",
        place="*Produce.*.log_start_offset",
        drave=ABSENT,
        why="a refused batch has no place in the log; Kafka tells the log's start with some refusals only",
    ),
    Reason(
        cases="k22_init_producer_id/*",
        place="*Produce.*.log_append_time_ms",
        kafka=1_600_000_000_000,
        drave=ABSENT,
        why="a duplicate's batch has its producer's time; Kafka answers that as the time of the append",
    ),
    # -- transactions
    *(
        reason
        for cases in ("transactions/*", "interleaved_transactions/*", "programs/transactions")
        for reason in (
            Reason(
                cases=cases,
                place="*Produce.*.error_message",
                kafka=ABSENT,
                drave="...",
                why="a refusal says why",
                readme="`error_message` in Produce",
            ),
            Reason(
                cases=cases,
                place="*Produce.*.log_start_offset",
                drave=ABSENT,
                why="a refused batch has no place in the log; Kafka tells the log's start with some refusals only",
            ),
        )
    ),
    *(
        Reason(
            cases=cases,
            place="*Produce.*.log_append_time_ms",
            kafka=1_600_000_000_000,
            drave=ABSENT,
            why="a duplicate's batch has its producer's time; Kafka answers that as the time of the append",
        )
        for cases in ("transactions/*", "programs/transactions")
    ),
    *(
        Reason(
            cases=f"transactional_offsets/{case}",
            place=f"{step}.OffsetFetch.*",
            why="an offset that a later record has overtaken can never count, so nobody needs to wait for it",
            readme="an offset in a transaction that was committed anew",
        )
        for case, step in (
            ("a_commit_without_a_transaction_overtakes_one_that_waits", 3),
            ("two_transactions_that_commit_the_same_offset(order=ba)", 2),
        )
    ),
    Reason(
        cases="transactions/records_deleted_under_an_open_transaction",
        place="2.ListOffsets.*.offset",
        kafka=0,
        drave=1,
        why="what is below the log's start is nobody's to wait for",
        readme="last stable offset after records",
    ),
    # -- epochs
    Reason(
        cases="k23_offset_for_leader_epoch/epochs_of_a_log(*epoch=-2)",
        place="1.OffsetForLeaderEpoch.*",
        why="an epoch that never was has no end",
    ),
    # -- administration of partitions
    Reason(
        cases="partition_administration/*",
        place="*.error_message",
        kafka=ABSENT,
        drave="...",
        why="a refusal says why",
    ),
    Reason(
        cases="partition_administration/more_partitions_than_one_request_may_add*",
        place="1.CreatePartitions.*.error_code",
        kafka="UNKNOWN_SERVER_ERROR",
        drave="POLICY_VIOLATION",
        why="the bound is Kafka's, and so is the code: it has it for CreateTopics",
        readme="more than 10,000 partitions in one CreatePartitions",
    ),
    Reason(
        cases="partition_administration/coordinators_that_are_to_grow*",
        place="1.CreatePartitions.*.error_code",
        kafka=ABSENT,
        drave="INVALID_REQUEST",
        why="after a restart, Kafka finds no group's offsets any more",
        readme="more partitions for internal topics",
    ),
    Reason(
        cases="partition_administration/a_session_knows_a_partition_before_it_is_there*",
        place="*.aborted_transactions",
        kafka=[],
        drave=ABSENT,
        why="with an error there is no list of aborted transactions, not even an empty one",
    ),
    # -- configs
    *(
        Reason(cases=f"{module}/*", place=f"*.configs.{whose}.*", kafka=ABSENT, why=why, readme=MORE_CONFIGS)
        for module in ("configs", "quotas", "topics")
        for whose, why in (
            ("drave", "what Kafka does not have is named after us"),
            ("errors", "dead letters of share groups, which Kafka has since 4.4"),
        )
    ),
    Reason(
        cases="configs/*",
        place="*.configs.min.insync.replicas.*",
        why="Kafka sets it on all brokers at their first start, for its eligible leader replicas",
    ),
    Reason(
        cases="configs/resources_without_configs*",
        place="*.error_message",
        kafka="",
        drave="...",
        why="a refusal says why",
    ),
    Reason(
        cases="configs/steps_on_a_topic(*, 9, '5')*",
        place="1.IncrementalAlterConfigs.*",
        why="an operation that does not exist is the client's mistake; Kafka fails with an internal error",
        readme="unknown operation in an IncrementalAlterConfigs",
    ),
    Reason(
        cases="configs/a_value_of_each_config(config=flush.*",
        place="1.IncrementalAlterConfigs.*",
        why='under durability = "os" nobody forces records to the disk, and it is not said that somebody does',
        readme="configs that would have no effect",
    ),
    Reason(
        cases="configs/a_value_of_each_config(config=preallocate, value=true)",
        place="1.IncrementalAlterConfigs.*",
        why="segments are not preallocated",
        readme="configs that would have no effect",
    ),
    Reason(
        cases="configs/a_value_of_each_config(config=internal.segment.bytes,*",
        place="1.IncrementalAlterConfigs.*",
        why="a segment holds at least something",
    ),
    Reason(
        cases="configs/steps_on_what_is_not_there(*kind=4, name=,*",
        place="1.IncrementalAlterConfigs.*",
        why="a broker takes no setting that it does not have",
        readme="configs that would have no effect",
    ),
    Reason(
        cases="configs/what_is_not_there_is_replaced(*kind=4, name=)",
        place="1.AlterConfigs.*.error_code",
        kafka="INVALID_CONFIG",
        drave="INVALID_REQUEST",
        why="a setting is refused for not being there; Kafka refuses that min.insync.replicas would go",
    ),
    Reason(
        cases="configs/a_topic_that_takes_smaller_batches*",
        place="*.error_message",
        kafka=ABSENT,
        drave="...",
        why="a refusal says why",
        readme="`error_message` in Produce",
    ),
    # -- groups
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
    Reason(
        cases="offsets/nothing_to_commit*",
        place="2.OffsetCommit.topics*",
        why="a topic that is named without partitions is answered without partitions",
    ),
    # -- quotas
    Reason(
        cases="quotas/an_entity_that_is_none(*, entity=user twice*",
        place="1.AlterClientQuotas*",
        why="Kafka takes the last of two users that it was given for one quota",
        readme="a quota that is not a number, or names a kind twice",
    ),
    Reason(
        cases="quotas/a_quota_that_is_none(*, quota=no number*",
        place="1.AlterClientQuotas*",
        why="a rate that is no number is never passed and never kept",
        readme="a quota that is not a number, or names a kind twice",
    ),
    Reason(
        cases="quotas/an_entity_that_is_none(*, entity=name of a host*",
        place="1.AlterClientQuotas*",
        why="what a name stands for may be another address tomorrow, and nobody would notice",
        readme="a quota for a host by its name",
    ),
    Reason(
        cases="quotas/the_same_twice*",
        place="3.DescribeClientQuotas*",
        why="what is answered with an error was not done",
        readme="an entity twice in one AlterClientQuotas",
    ),
    Reason(
        cases="quotas/more_*",
        place="2.*.error_message",
        kafka=ABSENT,
        drave="...",
        why="a refusal says why, and how long it lasts",
    ),
    Reason(
        cases="quotas/more_topics_than_may_be_made*",
        place="*.configs.min.insync.replicas.config_source",
        kafka=3,
        drave=5,
        why="Kafka writes this default down for the whole cluster when its folders are formatted",
    ),
    # -- topics
    Reason(
        cases="topics/*",
        place="*.CreateTopics.topics.*.configs.min.insync.replicas.config_source",
        kafka=3,
        drave=5,
        why="Kafka writes this default down for the whole cluster when its folders are formatted",
    ),
    Reason(
        cases="topics/dots_and_underscores_collide*",
        place="2.CreateTopics.topics.c_d*",
        why="two names that collide do so in one request too; Kafka looks at topics that are there already",
    ),
    # -- random programs
    Reason(
        cases="programs/records",
        place="*.error_message",
        kafka=ABSENT,
        drave="...",
        why="a refusal says why",
        readme="`error_message` in Produce",
    ),
    Reason(
        cases="programs/records",
        place="*.Produce.*.log_start_offset",
        drave=ABSENT,
        why="a refused batch has no place in the log; Kafka tells the log's start with some refusals only",
    ),
    Reason(
        cases="programs/records",
        place="*.Produce.*.log_append_time_ms",
        drave=ABSENT,
        why="a duplicate's batch has its producer's time; Kafka answers that as the time of the append",
    ),
    Reason(
        cases="programs/records",
        place="*.Fetch.*.aborted_transactions",
        kafka=[],
        drave=ABSENT,
        why="with an error there is no list of aborted transactions, not even an empty one",
    ),
)


class Judge:
    """Takes every difference that is found, and tells those with a reason from those without."""

    def __init__(self, reasons: Iterable[Reason] = ON_PURPOSE) -> None:
        self.reasons = tuple(reasons)
        self._seen: set[int] = set()
        self._cases: list[str] = []

    def unexplained(self, case: str, found: Iterable[Difference]) -> list[Difference]:
        """What of one case's differences has no reason. Every case is to be shown, the equal ones too."""
        self._cases.append(case)
        return [difference for difference in found if not self._explains(difference)]

    def _explains(self, found: Difference) -> bool:
        number = next((number for number, reason in enumerate(self.reasons) if reason.covers(found)), None)
        if number is not None:
            self._seen.add(number)
        return number is not None

    def gone(self) -> list[Reason]:
        """Reasons whose cases were shown and did not differ."""
        return [
            reason
            for number, reason in enumerate(self.reasons)
            if number not in self._seen and any(fnmatchcase(case, reason.cases) for case in self._cases)
        ]
