"""Sessions of share groups' members."""

from __future__ import annotations

from differential.scenario import scenario
from differential.scenarios.share_partitions.members import ACCEPT, ACKNOWLEDGE, FETCH, one_member, two_members
from differential.stage import Stage


@scenario(FETCH, epoch=(-2, -1, 1, 5))
def a_fetch_without_a_session(stage: Stage, version: int, epoch: int) -> None:
    one_member(stage).fetch(version=version, epoch=epoch)


@scenario(ACKNOWLEDGE, epoch=(-2, -1, 0, 1))
def a_word_without_a_session(stage: Stage, version: int, epoch: int) -> None:
    one_member(stage).says((0, 1, ACCEPT), version=version, epoch=epoch)


@scenario(FETCH, epoch=(-2, 0, 1, 2, 3, -1))
def the_next_request_of_a_session(stage: Stage, version: int, epoch: int) -> None:
    one = one_member(stage)
    one.first(version=version, max_records=4)
    one.fetch(version=version, max_records=4)
    one.fetch(version=version, epoch=epoch, max_records=4)
    one.says((0, 3, ACCEPT), version=version, epoch=max(epoch + 1, 1))


@scenario(ACKNOWLEDGE, epoch=(-2, 0, 1, 2, 3, -1))
def the_next_word_of_a_session(stage: Stage, version: int, epoch: int) -> None:
    one = one_member(stage)
    one.first(version=version, max_records=4)
    one.says((0, 0, ACCEPT), version=version)
    one.says((1, 1, ACCEPT), version=version, epoch=epoch)
    one.says((2, 2, ACCEPT), version=version, epoch=max(epoch + 1, 1))


@scenario(FETCH)
def a_first_request_that_says_something(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.fetch((0, 3, ACCEPT), version=version)
    one.fetch((0, 3, ACCEPT), version=version)


@scenario(FETCH)
def a_session_that_ends_gives_back(stage: Stage, version: int) -> None:
    one, two = two_members(stage)
    one.first(version=version)
    one.fetch((0, 3, ACCEPT), version=version, epoch=-1)
    two.fetch(version=version, max_wait_ms=8000)
    one.fetch(version=version)


@scenario(ACKNOWLEDGE)
def a_session_that_ends_with_a_word(stage: Stage, version: int) -> None:
    one, two = two_members(stage)
    one.first(version=version)
    one.says((0, 3, ACCEPT), version=version, epoch=-1)
    two.fetch(version=version, max_wait_ms=8000)


@scenario(FETCH)
def a_connection_that_ends_gives_back(stage: Stage, version: int) -> None:
    one, two = two_members(stage)
    one.first(version=version)
    two.fetch(version=version)
    one.connection.close()
    two.fetch(version=version, max_wait_ms=8000)


@scenario(FETCH)
def a_session_begun_anew_keeps_what_is_held(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.first(version=version, max_records=4)
    one.epoch = 0
    one.fetch(version=version, max_records=4)
    one.says((0, 7, ACCEPT), version=version)


@scenario(FETCH)
def partitions_come_and_go(stage: Stage, version: int) -> None:
    one = one_member(stage, partitions=2)
    one.first(version=version, partitions=(0,))
    one.fetch(version=version, named=(1,), max_wait_ms=8000)
    one.fetch(version=version, named=(0,), forgotten=(1,))
    one.fetch(version=version, named=(0, 1), forgotten=(0,))


@scenario(FETCH, who=(None, "", "x" * 36, "x" * 37))
def members_by_name(stage: Stage, version: int, who: str | None) -> None:
    one = one_member(stage)
    one.fetch(version=version, member_id=who, max_records=0)
    one.says((0, 3, ACCEPT), version=version, member_id=who)


@scenario(FETCH)
def groups_by_name(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.fetch(version=version, group_id=None)
    one.says((0, 3, ACCEPT), version=version, group_id=None)


@scenario(FETCH)
def a_group_that_nobody_knows(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.fetch(version=version, group_id=stage.name("stranger"), max_wait_ms=100)
