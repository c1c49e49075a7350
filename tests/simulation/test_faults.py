"""Planted faults: each is a piece of the product that is really there, and the simulator finds them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from simulation.faults import FAULTS, source_of

QUICK = {}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_what_a_fault_changes_stands_once_in_its_module_and_is_still_python_afterwards(name: str) -> None:
    fault = FAULTS[name]
    source = source_of(fault.module)
    assert source.count(fault.right) == 1
    compile(source.replace(fault.right, fault.wrong), fault.module, "exec")
