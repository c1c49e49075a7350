"""Patterns of clients: RE2's syntax, whole texts, and nothing that could hold the broker."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.broker import patterns
from drave.broker.patterns import Pattern, check_work, readable
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
        ("((orders|rides)-)+eu", "orders-rides-eu"),
        (".*-.*-.*-.*", "a-b-c-d"),
        ("(?i)orders", "Orders"),
        (r"\p{Greek}+\pN", "λόγος7"),
        (r"\Qa.b\E", "a.b"),
        ("(?P<place>eu|us)", "us"),
        ("(a|ab)(c|bcd)", "abcd"),
        ("a*?", "aaa"),
    ],
)
def test_a_whole_text_matches(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text)
    assert not Pattern(pattern).matches(f"{text} and more\n")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(a)\1", "invalid escape sequence"),
        ("(?=a)a", "invalid perl operator"),
        (r"a\Z", "invalid escape sequence"),
        ("(a", "is no regular expression: missing \\)"),
        ("*", "no argument for repetition operator"),
        ("a**", "bad repetition operator"),
        ("a{1001}", "invalid repetition size"),
        ("(?:(?:a{100}){100}){100}", "invalid repetition size"),
        (r"(?:\pL?){900}", "pattern too large"),
        (r"\pL" * 65, "has more than 64 Unicode classes"),
        ("a" * 4097, "is longer than 4096 characters"),
    ],
)
def test_what_is_no_pattern_or_too_large_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as refusal:
        Pattern(pattern)
    assert refusal.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION
    assert readable(pattern) is None


@pytest.mark.parametrize("pattern", ["(a+)+b", "((a*)*)*b", "(a|aa)+b", "(a|a?)+b", ".*.*.*.*.*.*.*.*b"])
def test_a_pattern_that_would_never_end_elsewhere_ends(pattern: str) -> None:
    """By `re` each of these takes longer than anybody lives, and the suite's time-out would say so."""
    assert not Pattern(pattern).matches("a" * 10_000)


@given(st.from_regex(r"[ab.|?*()]{1,12}", fullmatch=True), st.text("abc", max_size=6))
def test_what_both_can_read_means_what_it_means_to_python(pattern: str, text: str) -> None:
    try:
        judge = re.compile(pattern)
        mine = Pattern(pattern)
    except (re.error, Refused):
        return
    assert mine.matches(text) == (judge.fullmatch(text) is not None)


def test_patterns_that_are_too_much_work_for_so_many_names_are_refused() -> None:
    simple, large = Pattern("orders-.*"), Pattern("(?:[a-m]?[c-z]?){1000}")
    names = ["n" * 40] * 1000
    check_work([simple], names * 50)
    check_work([large], names[:500])
    with pytest.raises(Refused, match="is too large for 1000 names"):
        check_work([large], names)
    with pytest.raises(Refused, match="together with 40 others"):
        check_work([*[simple] * 40, simple], names * 10 * (patterns.WORK_MAX // (simple.size * 41 * 400_000) + 1))


def test_a_start_does_not_wait_for_what_matches_patterns() -> None:
    assert "re2" not in vars(patterns)
