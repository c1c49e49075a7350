"""Patterns of clients: what RE2 and Python agree on, and nothing that could hold the broker."""

from __future__ import annotations

import pytest

from drave.broker.patterns import TEXT_MAX, Pattern
from drave.model.errors import ErrorCode, Refused


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("payments-.*", "payments-7"),
        (".*-eu-.*", "orders-eu-1"),
        ("(orders|rides)-[0-9]+", "rides-12"),
        (r"a\.b\*c", "a.b*c"),
        ("[*+{]x?", "*"),
        ("(?:a|b)?c{2}", "acc"),
    ],
)
def test_a_whole_text_matches(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text)
    assert not Pattern(pattern).matches(f"{text} and more\n")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(a+)+b", "repeats a group"),
        ("(a|aa){2,}", "repeats a group"),
        (".*.*.*x", "repeats more than 2 times"),
        (r"(a)\1", "refers back"),
        ("(?=a)a", "looks around, or sets flags"),
        ("(?i)a", "looks around, or sets flags"),
        ("(a", "is no regular expression"),
        ("*", "is no regular expression"),
        ("a{99999999999}", "is no regular expression"),
        ("a" * 251, "is longer than 250 characters"),
    ],
)
def test_what_might_never_end_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as refusal:
        Pattern(pattern)
    assert refusal.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION


def test_a_text_that_is_too_long_matches_nothing() -> None:
    assert Pattern("a*").matches("a" * TEXT_MAX)
    assert not Pattern("a*").matches("a" * (TEXT_MAX + 1))
