"""The comparison itself: every difference is found and named, and reasons are held to what they say."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from differential.compare import ABSENT, Difference, differences
from differential.differences import ON_PURPOSE
from differential.judging import ANY, Judge, Reason
from differential.play import record, recorded
from differential.scenario import cases, modules, versions_of
from differential.stage import Step
from drave.wire.api import ApiKey

README = Path(__file__).parents[2] / "README.md"

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "index", "c"]), inner),
    max_leaves=8,
)
_steps = st.lists(st.tuples(st.sampled_from(["Fetch", "Produce"]), _json), max_size=3)


@given(_steps)
def test_what_is_the_same_has_no_differences(steps: list[Step]) -> None:
    assert differences("a case", steps, steps) == []


@given(_steps, _steps)
def test_what_is_not_the_same_has_a_difference(kafka: list[Step], drave: list[Step]) -> None:
    found = differences("a case", kafka, drave)
    assert bool(found) == (_strict(kafka) != _strict(drave))
    assert all(_strict(difference.kafka) != _strict(difference.drave) for difference in found)


def _strict(value: object) -> str:
    return re.sub(r"\bTrue\b", "1", re.sub(r"\bFalse\b", "0", repr(value)))


def test_a_difference_says_where_it_is() -> None:
    theirs: Step = ("Produce", {"responses": [{"name": "a", "partition_responses": [{"index": 3, "base_offset": 1}]}]})
    ours: Step = ("Produce", {"responses": [{"name": "a", "partition_responses": [{"index": 3, "base_offset": 2}]}]})
    (found,) = differences("a case", [theirs], [ours])
    assert str(found) == "1.Produce.responses.a.partition_responses.3.base_offset: Kafka 1, Drave 2"


def test_items_go_by_their_names_whatever_stands_beside_them() -> None:
    theirs: Step = ("Metadata", {"topics": [{"name": "a", "x": 1}, {"name": "b", "x": 2}]})
    ours: Step = ("Metadata", {"topics": [{"name": "b", "x": 2}]})
    assert {found.place for found in differences("a case", [theirs], [ours])} == {
        "1.Metadata.topics.a.name",
        "1.Metadata.topics.a.x",
    }


def test_a_reason_covers_only_the_values_that_it_names() -> None:
    reason = Reason(cases="produce/*", place="*.error_code", kafka="A", drave="B", why="")
    assert reason.covers(Difference("produce/x", "1.Produce.error_code", "A", "B"))
    assert not reason.covers(Difference("produce/x", "1.Produce.error_code", "A", "C"))
    assert not reason.covers(Difference("produce/x", "1.Produce.error_code", ABSENT, "B"))
    assert not reason.covers(Difference("produce/x", "1.Produce.offset", "A", "B"))
    assert not reason.covers(Difference("fetch/x", "1.Produce.error_code", "A", "B"))


def test_a_reason_without_its_difference_is_told() -> None:
    kept, lost, elsewhere = (Reason(cases=f"{name}/*", place="*", why="") for name in ("kept", "lost", "elsewhere"))
    judge = Judge([kept, lost, elsewhere])
    assert judge.unexplained("kept/x", [Difference("kept/x", "1.Fetch", 1, 2)]) == []
    assert judge.unexplained("lost/x", []) == []
    assert judge.gone() == [lost]


def test_every_reason_belongs_to_one_module_of_scenarios_or_to_the_random_programs() -> None:
    """So that each module's test can tell which of them no longer hold."""
    known = {*modules(), "programs"}
    assert [reason.cases for reason in ON_PURPOSE if reason.cases.partition("/")[0] not in known] == []


def test_every_row_that_a_reason_names_stands_in_the_readme() -> None:
    rows = [line.removeprefix("| ") for line in README.read_text().splitlines() if line.startswith("| ")]
    named = {reason.readme for reason in ON_PURPOSE if reason.readme}
    assert [name for name in named if not any(row.startswith(name) for row in rows)] == []


def test_reasons_say_why() -> None:
    assert [reason.cases for reason in ON_PURPOSE if len(reason.why) < 10 or reason.why.endswith(".")] == []
    assert [reason for reason in ON_PURPOSE if reason.cases == ANY] == []


@given(_steps)
def test_what_was_recorded_is_read_back(tmp_path_factory: object, steps: list[Step]) -> None:
    folder = Path(tmp_path_factory.mktemp("recordings"))  # type: ignore[attr-defined]  # pytest's own factory
    record("module", {"module/a(v1)": steps, "module/b(v1)": steps, "module/c": []}, folder)
    assert recorded("module", folder) == {"module/a(v1)": steps, "module/b(v1)": steps, "module/c": []}


def test_a_scenario_is_one_case_for_each_version_and_parameter() -> None:
    names = [case.name for case in cases("k00_produce") if "/what_is_appended_is_read_back(" in case.name]
    versions = versions_of(ApiKey.PRODUCE)
    assert names == [
        f"k00_produce/what_is_appended_is_read_back(v{version}, acks={acks})"
        for version in versions
        for acks in (1, -1)
    ]


def test_no_two_cases_have_the_same_name() -> None:
    names = [case.name for module in modules() for case in cases(module)]
    assert len(names) == len(set(names))
