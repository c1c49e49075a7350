"""Planted faults: each is a piece of the product that is really there, and the simulator finds them."""

from __future__ import annotations

import pytest

from simulation.faults import FAULTS, source_of
from simulation.hunt import hunts

QUICK = (
    "a new segment's name is not synced",
    "an acknowledgement does not wait to be durable",
    "segments are not synced when they skip the journal",
)
SEEDS = 3


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_what_a_fault_changes_stands_once_in_its_module_and_is_still_python_afterwards(name: str) -> None:
    fault = FAULTS[name]
    source = source_of(fault.module)
    assert source.count(fault.right) == 1
    compile(source.replace(fault.right, fault.wrong), fault.module, "exec")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_some_faults_are_found_within_a_few_seeds() -> None:
    """All of them are hunted for by `make simulate-faults`."""
    missed = [catch.fault for catch in hunts(QUICK, seeds=SEEDS, steps=40, jobs=1) if not catch.is_found]
    assert missed == []
