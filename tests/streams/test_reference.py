"""Some seeds of the comparison with SQL; `python -m tests.streams.reference 1000` runs more."""

from __future__ import annotations

import pytest

duckdb = pytest.importorskip("duckdb", reason="the reference is DuckDB, of the group dev")

from tests.streams import reference  # noqa: E402 - it needs what is looked for above


@pytest.mark.parametrize("exactly_once", [True, False], ids=["exactly-once", "at-least-once"])
@pytest.mark.parametrize("name", reference.CASES)
def test_windows_joins_and_aggregates_are_what_sql_over_the_whole_topics_says(name: str, exactly_once: bool):
    for seed in range(6):
        reference.run(name, seed, exactly_once=exactly_once)


@pytest.mark.parametrize("name", reference.CASES)
def test_the_comparison_notices_a_row_that_is_missing_or_wrong(name: str, monkeypatch: pytest.MonkeyPatch):
    read = reference.read
    monkeypatch.setattr(reference, "read", lambda *args, **more: read(*args, **more)[1:])
    with pytest.raises(AssertionError, match=name):
        reference.run(name, 1, exactly_once=True)
