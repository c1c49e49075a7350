"""Regular expressions that clients send, matched by RE2, as Kafka's are by RE2/J: the syntax is the same.

    text ──▶ RE2 program ──▶ matches(name)      time: the program's size × the name's length, whatever the pattern

RE2 never goes back to try again, so no pattern holds the broker for ever. What remains is held by bounds: how long a
pattern is, how much memory its program may take, and how much work it may be to look through all names at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from drave.model.errors import ErrorCode, Refused

LENGTH_MAX: Final = 4_096
CLASSES_MAX: Final = 64
"""Of Unicode classes like `\\pL`: each takes a quarter of a millisecond to read, however often it stands there."""

PROGRAM_BYTES_MAX: Final = 512 * 1024
"""What RE2 may take for one pattern, the states that it finds while matching included. It keeps 128 of them."""

WORK_MAX: Final = 100_000_000
"""Instructions times characters, for all names that are looked through at once: the worst patterns take 0.2 s for it,
usual ones a tenth of that."""


class Pattern:
    """A regular expression that a whole text has to match."""

    __slots__ = ("_full_match", "size", "text")

    def __init__(self, text: str) -> None:
        """Raises Refused for what is no pattern, and for what is too large to be one."""
        if len(text) > LENGTH_MAX:
            raise _refused(text, f"is longer than {LENGTH_MAX} characters")
        if text.count(r"\p") + text.count(r"\P") > CLASSES_MAX:
            raise _refused(text, f"has more than {CLASSES_MAX} Unicode classes")
        self.text = text
        compiled = _compiled(text)
        self.size: int = compiled.programsize
        self._full_match = compiled.fullmatch

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` is matched."""
        return self._full_match(text.encode()) is not None


def readable(text: str) -> Pattern | None:
    """The pattern that a log has, if it can be read here: an adopted one may have been taken by other bounds."""
    try:
        return Pattern(text)
    except Refused:
        return None


def check_work(patterns: Iterable[Pattern], texts: Collection[str]) -> None:
    """That looking through all of `texts` by these patterns takes a moment only. Raises Refused."""
    *others, last = patterns
    characters = sum(map(len, texts))
    if (last.size + sum(each.size for each in others)) * characters > WORK_MAX:
        with_others = f", together with {len(others)} others," if others else ""
        raise _refused(last.text, f"is too large{with_others} for {len(texts)} names. Ask by names, or more simply")


def _compiled(text: str) -> Any:
    import re2  # not above: a start does not wait for what no client may ever ask for

    options = re2.Options()
    options.max_mem = PROGRAM_BYTES_MAX
    options.log_errors = False
    options.never_capture = True
    try:
        return re2.compile(text, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise _refused(text, f"is no regular expression: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """RE2 says in bytes what is wrong."""
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)


def _refused(text: str, why: str) -> Refused:
    return Refused(ErrorCode.INVALID_REGULAR_EXPRESSION, f"The pattern {text[:100]!r} {why}.")
