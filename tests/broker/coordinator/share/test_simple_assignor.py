"""The simple assignor: every share-partition has readers, every member something to read, as evenly as can be."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from drave.broker.coordinator.share.assignor import NOTHING, Partitions, assign
from drave.broker.coordinator.share.state import SharePartition
from drave.model.ids import TopicId

A, B, C = (TopicId(bytes([number]) * 16) for number in range(1, 4))
NAMES = [f"m{number}" for number in range(9)]


def partitions(topic_id: TopicId, count: int) -> list[SharePartition]:
    return [SharePartition(topic_id, index) for index in range(count)]


def shared(
    members: int, pool: list[SharePartition], current: dict[str, Partitions] | None = None
) -> dict[str, Partitions]:
    """The assignment of members who all read the same topics."""
    topics = frozenset(each.topic_id for each in pool) or frozenset({A})
    return assign(dict.fromkeys(NAMES[:members], topics), current or {}, pool)


def test_each_partition_goes_to_one_member_where_there_are_enough_partitions() -> None:
    found = shared(2, partitions(A, 3))
    assert sorted(map(len, found.values())) == [1, 2]
    assert frozenset().union(*found.values()) == frozenset(partitions(A, 3))


def test_partitions_are_shared_by_no_more_members_than_it_takes_to_give_everybody_one() -> None:
    found = shared(5, partitions(A, 2))
    readers = Counter(each for those in found.values() for each in those)
    assert sorted(readers.values()) == [3, 3]
    assert sorted(map(len, found.values())) == [1, 1, 1, 1, 2]


def test_nobody_gets_what_has_no_state_yet() -> None:
    assert shared(2, []) == {"m0": NOTHING, "m1": NOTHING}


def test_members_of_different_subscriptions_share_each_topic_by_itself() -> None:
    pool = partitions(A, 2) + partitions(B, 2) + partitions(C, 1)
    found = assign({"m0": frozenset({A, B}), "m1": frozenset({B}), "m2": frozenset()}, {}, pool)
    assert found["m0"] >= frozenset(partitions(A, 2))
    assert found["m1"] <= frozenset(partitions(B, 2))
    assert len(found["m1"]) == 1
    assert found["m2"] == NOTHING


def test_members_keep_what_they_have_when_one_more_comes() -> None:
    before = shared(3, partitions(A, 9))
    after = shared(4, partitions(A, 9), before)
    moved = sum(len(before[member] - after[member]) for member in before)
    assert moved == len(after["m3"]) == 2


subscriptions = st.dictionaries(
    st.sampled_from(NAMES), st.frozensets(st.sampled_from([A, B, C])), min_size=1
) | st.builds(
    dict.fromkeys,
    st.sets(st.sampled_from(NAMES), min_size=1),
    st.frozensets(st.sampled_from([A, B, C])),
)
pools = st.fixed_dictionaries(dict.fromkeys([A, B, C], st.integers(0, 7)))
assignments = st.dictionaries(
    st.sampled_from(NAMES), st.frozensets(st.builds(SharePartition, st.sampled_from([A, B, C]), st.integers(0, 9)))
)


@given(subscriptions, pools, assignments)
def test_whatever_there_was_nobody_and_nothing_is_left_out(
    wanted: dict[str, frozenset[TopicId]], counts: dict[TopicId, int], current: dict[str, Partitions]
) -> None:
    pool = [each for topic_id, count in counts.items() for each in partitions(topic_id, count)]
    found = assign(wanted, current, pool)
    assert found.keys() == wanted.keys()
    readers = Counter(each for those in found.values() for each in those)
    for member, those in found.items():
        assert {each.topic_id for each in those} <= wanted[member], "a member reads what it did not ask for"
        assert those or not any(each.topic_id in wanted[member] for each in pool), "a member has nothing to do"
    for each in pool:
        those_who_may = [member for member, topics in wanted.items() if each.topic_id in topics]
        assert readers[each] or not those_who_may, "a partition has no reader"
    assert set(readers) <= set(pool)


@given(st.integers(1, 9), st.integers(1, 12), assignments)
def test_shares_differ_by_no_more_than_one_unless_a_place_had_to_stay_empty(
    members: int, count: int, current: dict[str, Partitions]
) -> None:
    pool = partitions(A, count)
    found = shared(members, pool, current)
    sharing = -(-members // count)
    readers = Counter(each for those in found.values() for each in those)
    assert max(readers.values()) <= sharing
    sizes = [len(those) for those in found.values()]
    most = -(-sharing * count // members)
    assert max(sizes) <= most
    open_places = sharing * count - sum(sizes)
    for member, those in found.items():
        if len(those) < most - 1:
            wanting = {each for each in pool if readers[each] < sharing}
            assert open_places, "somebody has less than a fair share though all places are taken"
            assert wanting <= those, f"{member} has room, and does not read what lacks a reader"


@given(subscriptions, pools, assignments)
def test_an_assignment_that_is_good_stays(
    wanted: dict[str, frozenset[TopicId]], counts: dict[TopicId, int], current: dict[str, Partitions]
) -> None:
    pool = [each for topic_id, count in counts.items() for each in partitions(topic_id, count)]
    found = assign(wanted, current, pool)
    assert assign(wanted, found, pool) == found
