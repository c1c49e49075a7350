"""What a request costs, in counts that are the same on every machine, is what `budgets.json` says.

A change that makes a request dearer says so, in the file; one that makes it cheaper does too, so that the next one
cannot spend it again unseen.
"""

from __future__ import annotations

import pytest

from tests.budget import ledger
from tests.budget.__main__ import count_apart
from tests.budget.counting import Counts
from tests.budget.scenarios import SCENARIOS


@pytest.fixture(scope="module")
def counted() -> dict[str, Counts]:
    return count_apart()


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_request_costs_what_its_budget_says(scenario: str, counted: dict[str, Counts]) -> None:
    budget = ledger.load().get(scenario)
    assert budget is not None, f"{scenario} has no budget; {ledger.COMMAND} gives it one"
    if not ledger.has_column(budget):
        pytest.skip(f"counts differ by Python's minor version, and nobody has counted on {ledger.PYTHON} yet")
    differences = "\n".join(map(str, ledger.compare(scenario, budget, counted[scenario])))
    if differences:
        pytest.fail(
            f"{differences}\nIf that is meant: {ledger.COMMAND}, and commit {ledger.FILE.name} with it, saying why.",
            pytrace=False,
        )


@pytest.mark.slow
def test_a_scenario_that_is_no_more_has_no_budget(counted: dict[str, Counts]) -> None:
    assert ledger.load().keys() == counted.keys()
