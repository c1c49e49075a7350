"""What members of a share group may say of what they were given."""

from __future__ import annotations

from differential.scenario import scenario
from differential.scenarios.share_partitions.members import (
    ACCEPT,
    ACKNOWLEDGE,
    FETCH,
    GAP,
    REJECT,
    RELEASE,
    RENEW,
    Said,
    came,
    one_member,
    two_members,
)
from differential.stage import Stage
from drave.model.ids import TopicId


@scenario(ACKNOWLEDGE, kind=range(-1, 6))
def of_all_the_same(stage: Stage, version: int, kind: int) -> None:
    one = one_member(stage)
    one.first(version=version)
    one.says((0, 9, kind), version=version)
    one.fetch(version=version)


@scenario(FETCH, kind=(-1, GAP, ACCEPT, REJECT, RENEW, 5))
def of_all_the_same_with_the_next_fetch(stage: Stage, version: int, kind: int) -> None:
    """What is released may come with the same answer, or not, as it happens."""
    one = one_member(stage)
    one.first(version=version)
    one.fetch((0, 9, kind), version=version)


@scenario(ACKNOWLEDGE)
def of_each_something_else(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.first(version=version)
    one.says((0, 9, [1, 2, 3, 0, 2, 2, 1, 1, 3, 2]), version=version)
    one.fetch(version=version)


@scenario(
    said=(
        ((0, 3, ACCEPT), (4, 9, RELEASE)),
        ((2, 5, ACCEPT),),
        ((9, 9, RELEASE), (0, 0, ACCEPT)),
        ((0, 3, ACCEPT), (3, 5, ACCEPT)),
        ((0, 3, ACCEPT), (2, 5, ACCEPT)),
        ((5, 4, ACCEPT),),
        ((0, 3, [ACCEPT, ACCEPT]),),
        ((0, 3, []),),
        ((0, 3, [ACCEPT] * 5),),
        ((0, 10, ACCEPT),),
        ((10, 10, ACCEPT),),
        ((100, 120, ACCEPT),),
        ((-5, 3, ACCEPT),),
        ((0, 3, ACCEPT), (20, 30, ACCEPT)),
    )
)
def well_formed_and_otherwise(stage: Stage, said: tuple[Said, ...]) -> None:
    one = one_member(stage)
    one.first()
    one.says(*said)
    one.fetch(max_wait_ms=0)


@scenario(ACKNOWLEDGE)
def twice(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.first(version=version)
    one.says((2, 5, ACCEPT), version=version)
    one.says((2, 5, ACCEPT), version=version)
    one.says((0, 5, ACCEPT), version=version)
    one.says((0, 1, ACCEPT), version=version)
    one.says((0, 5, RELEASE), version=version)
    one.says((5, 6, RELEASE), version=version)


@scenario(ACKNOWLEDGE)
def of_what_another_member_holds(stage: Stage, version: int) -> None:
    one, two = two_members(stage)
    one.first(version=version, max_records=4)
    two.fetch(version=version, max_records=4)
    two.says((0, 3, ACCEPT), version=version)
    two.says((2, 5, ACCEPT), version=version)
    one.says((0, 7, ACCEPT), version=version)
    one.says((0, 3, ACCEPT), version=version)


@scenario(ACKNOWLEDGE)
def of_what_nobody_has_had(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.fetch(version=version, max_records=0)
    one.says((0, 3, ACCEPT), version=version)
    one.says((0, 3, ACCEPT), version=version, topic_id=TopicId(b"\7" * 16))
    one.says((0, 3, ACCEPT), version=version, partition=7)
    one.says(version=version)


@scenario(times=(1, 2, 3, 4, 5, 6))
def released_again_and_again(stage: Stage, times: int) -> None:
    """What came in vain comes in smaller pieces, and in the end not at all."""
    one = one_member(stage)
    answer = one.first()
    for _ in range(times):
        one.releases(answer)
        answer = one.fetch()


@scenario(limit=(2, 3, 10))
def as_often_as_the_group_wants(stage: Stage, limit: int) -> None:
    one = one_member(stage, share_delivery_count_limit=str(limit))
    answer = one.first(max_records=4)
    for _ in range(limit + 2):
        if not came(answer):
            break
        one.releases(answer)
        answer = one.fetch(max_records=4)


@scenario(enabled=("true", "false"), says_so=(True, False))
def renewed(stage: Stage, enabled: str, says_so: bool) -> None:
    """KIP-1222."""
    one = one_member(stage, share_renew_acknowledge_enable=enabled)
    one.first()
    one.says((0, 3, RENEW), is_renew_ack=says_so)
    one.fetch((0, 3, RENEW), is_renew_ack=says_so, max_bytes=0, min_bytes=0, max_records=0)
    one.fetch((0, 3, RENEW), is_renew_ack=says_so)
    one.says((0, 9, ACCEPT), is_renew_ack=says_so)
