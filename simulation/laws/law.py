"""What a law is: a function with a name and a sentence, which yields the offending events.

    @law
    def kept(facts):
        '''What was acknowledged is in the log, at the offset that was told.'''

The name of the function is the name of the law.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from simulation.laws.facts import Facts

Test = Callable[[Facts], Iterator[str]]


class Law(NamedTuple):
    """One law."""

    name: str
    sentence: str
    test: Test


class Verdict(NamedTuple):
    """A law that was broken, and what shows it."""

    law: str
    what: str

    def __str__(self) -> str:
        return f"{self.law}: {self.what}"


LAWS: Final[dict[str, Law]] = {}
"""Every law, by its name."""


def law(test: Test) -> Test:
    """Make a law of a function."""
    name = test.__name__.replace("_", " ")
    assert test.__doc__, "a law has a sentence"
    LAWS[name] = Law(name, " ".join(test.__doc__.split()), test)
    return test
