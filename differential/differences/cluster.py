"""What clients learn about the cluster, and what administrators change in it."""

from __future__ import annotations

from typing import Final

from differential.compare import ABSENT
from differential.differences.usual import (
    IN_PRODUCE,
    defaults_are_defaults,
    errors_have_no_aborted_transactions,
    refusals_say_why,
)
from differential.judging import Reason

MORE_CONFIGS: Final = "configs of a topic that begin with `drave.` or `errors.`"

REASONS: Final = (
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
    # -- topics
    defaults_are_defaults("topics/*", "*.CreateTopics.topics.*.configs.min.insync.replicas.config_source"),
    Reason(
        cases="topics/dots_and_underscores_collide*",
        place="2.CreateTopics.topics.c_d*",
        why="two names that collide do so in one request too; Kafka looks at topics that are there already",
    ),
    # -- administration of partitions
    refusals_say_why("partition_administration/*"),
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
    errors_have_no_aborted_transactions("partition_administration/a_session_knows_a_partition_before_it_is_there*"),
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
    refusals_say_why("configs/resources_without_configs*", kafka=""),
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
    refusals_say_why("configs/a_topic_that_takes_smaller_batches*", readme=IN_PRODUCE),
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
    defaults_are_defaults("quotas/more_topics_than_may_be_made*", "*.configs.min.insync.replicas.config_source"),
)
