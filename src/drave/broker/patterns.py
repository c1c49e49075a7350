"""Regular expressions that clients send, held to what is matched in bounded time.

Kafka matches with RE2, whose time grows with the text alone. Python's `re` goes back and tries again, and one pattern
could hold the broker for ever. What makes that possible is refused: repeating a group, looking around, referring back,
and repeating more than twice.
"""

from __future__ import annotations

import re
from typing import Final

from drave.model.errors import ErrorCode, Refused

SIZE_MAX: Final = 250
REPEATS_MAX: Final = 2
TEXT_MAX: Final = 1000
"""A longer text matches no pattern: two repeats cost its size squared."""

_TOKEN: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?:?|.", re.DOTALL)
"""An escaped character, a class, the beginning of a group, or any other character."""


class Pattern:
    """A regular expression that a whole text has to match."""

    __slots__ = ("_compiled",)

    def __init__(self, text: str) -> None:
        """Raises Refused for what is no pattern, and for what might take too long."""
        if len(text) > SIZE_MAX:
            raise _refused(text, f"is longer than {SIZE_MAX} characters")
        repeats, before = 0, ""
        for token in _TOKEN.findall(text):
            if token == "(?":
                raise _refused(text, "looks around, or sets flags")
            if token[0] == "\\" and token[1:].isdigit():
                raise _refused(text, "refers back")
            if token in ("*", "+", "{"):
                repeats += 1
                if before == ")":
                    raise _refused(text, "repeats a group")
            before = token
        if repeats > REPEATS_MAX:
            raise _refused(text, f"repeats more than {REPEATS_MAX} times")
        try:
            self._compiled = re.compile(text)
        except (re.error, OverflowError) as error:
            raise _refused(text, f"is no regular expression: {error}") from None

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` is matched."""
        return len(text) <= TEXT_MAX and self._compiled.fullmatch(text) is not None


def _refused(text: str, why: str) -> Refused:
    return Refused(ErrorCode.INVALID_REGULAR_EXPRESSION, f"The pattern {text[:100]!r} {why}.")
