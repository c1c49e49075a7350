"""The table: what is seen at a glance, and why where it is not ✓."""

from __future__ import annotations

import pytest

from conformance import table
from conformance.contract import SCENARIOS, Outcome, Report

GOOD = tuple(Outcome(scenario, True) for scenario in SCENARIOS)


def report(client: str = "a", **changed: Outcome) -> Report:
    """All is well but for some scenarios (`_` for `-`)."""
    different = {name.replace("_", "-"): outcome for name, outcome in changed.items()}
    return Report(client, "1.2", tuple(different.get(outcome.scenario, outcome) for outcome in GOOD))


def test_a_client_that_does_everything_has_a_row_of_ticks() -> None:
    page = table.full([report("franz-go")])
    assert f"| franz-go | 1.2 |{' ✓ |' * len(SCENARIOS)}\n" in page
    assert "[^1]" not in page


def test_what_is_lacking_or_wrong_has_its_reason_in_a_note() -> None:
    page = table.full([report(static=Outcome("static", None, "it has none"), zstd=Outcome("zstd", False, "bad bytes"))])
    assert "| –[^2] |" in page
    assert "| ✗[^1] |" in page
    assert page.endswith("[^1]: bad bytes\n[^2]: it has none\n")


def test_the_same_reason_is_one_note() -> None:
    outcome = Outcome("static", None, "it has none")
    page = table.full([report("a", static=outcome), report("b", static=outcome)])
    assert page.count("[^1]") == 3
    assert "[^2]" not in page


def test_a_client_that_was_not_run_says_why() -> None:
    page = table.full([Report("kcat", "", (), skipped="`kcat` is not on the PATH")])
    assert f"| kcat | – |{' –[^1] |' * len(SCENARIOS)}\n" in page
    assert "[^1]: kcat: `kcat` is not on the PATH\n" in page


def test_nothing_in_a_note_differs_from_run_to_run_or_breaks_the_table() -> None:
    words = "c123-4-static: no answer from 127.0.0.1:34567\n  | <at all>"
    page = table.full([report(static=Outcome("static", False, words))])
    assert page.endswith("[^1]: …-static: no answer from 127.0.0.1:… \\| &lt;at all>\n")


@pytest.mark.parametrize(
    ("changed", "cell"),
    [
        ({}, "✓"),
        ({"lz4": None}, "✓ but for lz4"),
        ({"lz4": False}, "✗"),
        (dict.fromkeys(("gzip", "snappy", "lz4", "zstd")), "–"),
        ({"lz4": None, "zstd": False}, "✗"),
    ],
    ids=["all", "all but one", "one went wrong", "none", "one lacking and one wrong"],
)
def test_the_short_form_sums_scenarios_up(changed: dict[str, bool | None], cell: str) -> None:
    outcomes = {codec: Outcome(codec, ok, "why") for codec, ok in changed.items()}
    row = table.short([report(**outcomes)]).splitlines()[-1]
    assert row.split(" | ")[2 + list(table.SHORT).index("codecs")] == cell


def test_the_short_form_stands_for_every_scenario() -> None:
    assert sorted(scenario for several in table.SHORT.values() for scenario in several) == sorted(SCENARIOS)
