"""How many partitions an application's topics have, what is missing for it, and what does not fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.broker.coordinator.streams.configuring import Configuration, Status, configure
from drave.broker.coordinator.streams.topology import InvalidTopology, Topology, check_topic_names, check_topology
from drave.model.bounds import TASKS_MAX
from drave.wire.messages.k88_streams_group_heartbeat import Subtopology
from tests.broker.coordinator.streams.virtual_streams import internal, subtopology, topology


def configured(*subtopologies: Subtopology, **there: int) -> Configuration:
    """`there`: the topics that there are, with their numbers of partitions."""
    return configure(Topology(0, list(subtopologies)), there.get)


def widths(configuration: Configuration) -> dict[str, int]:
    """The topics that are missing, with the number of partitions that they are to have."""
    return {name: topic.partitions for name, topic in configuration.missing.items()}


def test_a_repartition_topic_is_as_wide_as_the_widest_input_of_who_writes_to_it() -> None:
    found = configured(
        subtopology("0", "narrow", "wide", writes=("between",)),
        subtopology("1", reads=(internal("between"),), changelogs=(internal("counts"),)),
        narrow=2,
        wide=5,
    )
    assert widths(found) == {"between": 5, "counts": 5}
    assert {name: each.tasks for name, each in found.subtopologies.items()} == {"0": 5, "1": 5}
    assert found.problem == (Status.MISSING_INTERNAL_TOPICS, "Internal topics are missing: between, counts")


def test_a_topology_whose_topics_are_all_there_is_ready() -> None:
    found = configured(
        subtopology("0", "lines", writes=("between",)),
        subtopology("1", reads=(internal("between"),), changelogs=(internal("counts"),)),
        lines=3,
        between=3,
        counts=3,
    )
    assert (found.is_ready, found.problem, dict(found.missing)) == (True, None, {})
    assert [each.is_stateful for each in found.subtopologies.values()] == [False, True]


def test_widths_are_handed_on_through_chains_in_whatever_order_they_are_told() -> None:
    chain = [
        subtopology("0", reads=(internal("second"),), writes=("third",)),
        subtopology("1", reads=(internal("first"),), writes=("second",)),
        subtopology("2", "lines", writes=("first",)),
        subtopology("3", reads=(internal("third"),)),
    ]
    assert widths(configured(*chain, lines=4)) == {"first": 4, "second": 4, "third": 4}


def test_a_width_that_the_application_asks_for_stands() -> None:
    found = configured(
        subtopology("0", "lines", writes=("between",)), subtopology("1", reads=(internal("between", 7),)), lines=2
    )
    assert widths(found) == {"between": 7}


def test_repartition_topics_are_as_wide_as_what_they_are_joined_with() -> None:
    found = configured(
        subtopology("0", "lines", writes=("between",)),
        subtopology("1", "table", reads=(internal("between"),), joined=(((0,), (0,)),)),
        lines=8,
        table=3,
    )
    assert widths(found) == {"between": 3}
    assert found.subtopologies["1"].tasks == 3


def test_repartition_topics_that_are_joined_with_one_another_are_as_wide_as_the_widest() -> None:
    found = configured(
        subtopology("0", "a", writes=("from-a",)),
        subtopology("1", "b", writes=("from-b",)),
        subtopology("2", reads=(internal("from-a"), internal("from-b")), joined=(((), (0, 1)),)),
        a=2,
        b=6,
    )
    assert widths(found) == {"from-a": 6, "from-b": 6}


def test_a_width_that_is_asked_for_holds_for_those_that_are_joined_with_it_and_no_others() -> None:
    """Kafka takes any width that the topology asks for anywhere, of this join or another."""
    found = configured(
        subtopology("0", "a", writes=("from-a", "fixed", "from-a-too")),
        subtopology("1", reads=(internal("from-a"), internal("fixed", 4)), joined=(((), (0, 1)),)),
        subtopology("2", reads=(internal("from-a-too"),), joined=(((), (0,)),)),
        a=2,
    )
    assert widths(found) == {"from-a": 4, "fixed": 4, "from-a-too": 2}


@pytest.mark.parametrize(
    ("subtopologies", "there", "names"),
    [
        ([subtopology("0", "a", "b", joined=(((0, 1), ()),))], {"a": 2, "b": 3}, ["a", "b"]),
        (
            [
                subtopology("0", "a", writes=("between",)),
                subtopology("1", "b", reads=(internal("between", 5),), joined=(((0,), (0,)),)),
            ],
            {"a": 2, "b": 3},
            ["between", "5", "3"],
        ),
        (
            [subtopology("0", "a", changelogs=(internal("counts"),))],
            {"a": 2, "counts": 3},
            ["counts", "2", "3"],
        ),
        (
            [
                subtopology("0", "a", writes=("x", "y")),
                subtopology("1", reads=(internal("x", 2), internal("y", 3)), joined=(((), (0, 1)),)),
            ],
            {"a": 2},
            ["x", "y"],
        ),
    ],
    ids=["sources", "asked for", "a changelog that is there", "two that are asked for"],
)
def test_topics_that_do_not_fit_are_named(subtopologies, there, names) -> None:
    found = configured(*subtopologies, **there)
    assert found.problem is not None
    status, detail = found.problem
    assert status is Status.INCORRECTLY_PARTITIONED_TOPICS
    assert all(name in detail for name in names)
    assert (found.is_ready, dict(found.missing), dict(found.subtopologies)) == (False, {}, {})


def test_of_missing_source_topics_a_few_are_named() -> None:
    found = configured(subtopology("0", "d", "a", "c", "b", "there"), there=1)
    assert found.problem == (
        Status.MISSING_SOURCE_TOPICS,
        "Source topics a, b, c and 1 additional topics are missing.",
    )


@pytest.mark.parametrize(
    ("subtopologies", "why"),
    [
        ([subtopology("0", reads=(internal("x"),), writes=("x",))], "circle"),
        (
            [subtopology("0", "lines"), subtopology("1", reads=(internal("x"),))],
            "Nothing writes to repartition topic x",
        ),
        ([subtopology("0", "lines"), subtopology("1")], "'1' reads no topic"),
    ],
    ids=["a circle", "a topic that nothing writes", "no inputs"],
)
def test_a_topology_that_no_topics_could_make_work_is_refused(subtopologies, why) -> None:
    with pytest.raises(InvalidTopology, match=why):
        configured(*subtopologies, lines=1)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (topology(subtopology("0", "a"), subtopology("0", "b")), "more than one subtopology of the id '0'"),
        (topology(subtopology("0", "a", changelogs=(internal("c", 3),))), "Changelog topic c"),
        (topology(subtopology("0", "a", writes=("r",), reads=(internal("r", -1),))), "Repartition topic r"),
        (topology(subtopology("0", "a", joined=(((1,), ()),))), "copartition group"),
        (topology(subtopology("0", "a", joined=(((), (-1,)),))), "copartition group"),
        (topology(subtopology("0", "a"), epoch=-1), "epoch"),
    ],
)
def test_a_topology_that_makes_no_sense_in_itself_is_refused(said, why) -> None:
    with pytest.raises(InvalidTopology, match=why):
        check_topology(said)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (topology(subtopology("0", "__consumer_offsets")), "broker's own: __consumer_offsets"),
        (topology(subtopology("0", "a", writes=("no/slash",))), "no/slash"),
        (topology(subtopology("0", "a", changelogs=(internal(""),))), "cannot be"),
    ],
)
def test_topics_must_have_names_that_topics_can_have(said, why) -> None:
    with pytest.raises(InvalidTopology, match=why):
        check_topic_names(said)


def test_the_order_in_which_subtopologies_are_told_makes_no_other_topology() -> None:
    first, second = subtopology("0", "a"), subtopology("1", "b")
    assert Topology(0, [first, second]) == Topology(0, [second, first])
    assert Topology(0, [first]) != Topology(1, [first])
    assert Topology(0, [first]) != Topology(0, [second])


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 9))
def test_what_is_missing_once_made_makes_the_topology_ready(left: int, right: int, asked: int) -> None:
    subtopologies = (
        subtopology("0", "left", writes=("l",), changelogs=(internal("state-0"),)),
        subtopology("1", "right", writes=("r",)),
        subtopology(
            "2", reads=(internal("l", asked), internal("r")), changelogs=(internal("state-2"),), joined=(((), (0, 1)),)
        ),
    )
    there = {"left": left, "right": right}
    found = configured(*subtopologies, **there)
    assert configured(*subtopologies, **there, **widths(found)).is_ready


def test_a_topology_of_too_many_tasks_waits_for_somebody_to_mend_that() -> None:
    """Topics may have grown since its members came."""
    found = configured(subtopology("0", "wide"), wide=TASKS_MAX)
    assert found.is_ready
    found = configured(subtopology("0", "wide"), subtopology("1", "wide"), wide=TASKS_MAX)
    assert found.problem is not None
    status, detail = found.problem
    assert status is Status.INCORRECTLY_PARTITIONED_TOPICS
    assert f"comes to {2 * TASKS_MAX} tasks" in detail
