"""The judge: nothing where all is right, and something wherever one thing is wrong."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interop.verdicts import Place, Record, carried, copied, counted, unchanged

WORDS = st.lists(st.sampled_from(["ash", "elm", "fir", "oak"]), min_size=1, max_size=30)


def _counts(words: list[str]) -> list[tuple[str, int]]:
    """What an exact program writes, one count after each word."""
    so_far: dict[str, int] = defaultdict(int)
    written = []
    for word in words:
        so_far[word] += 1
        written.append((word, so_far[word]))
    return written


@given(words=WORDS)
def test_exact_counts_are_right(words: list[str]) -> None:
    assert counted("counts", Counter(words), _counts(words)) == []


@given(words=WORDS, data=st.data())
def test_a_count_that_is_left_out_repeated_or_of_a_word_too_many_is_found(
    words: list[str], data: st.DataObject
) -> None:
    written = _counts(words)
    at = data.draw(st.integers(min_value=0, max_value=len(written) - 1))
    left_out, repeated = written[:at] + written[at + 1 :], [*written[:at], written[at], *written[at:]]
    assert counted("counts", Counter(words), left_out)
    assert counted("counts", Counter(words), repeated)
    assert counted("counts", Counter([*words, words[at]]), written)
    assert counted("counts", Counter(words), [*written, ("yew", 1)])


@given(words=WORDS, kept=st.data())
def test_compaction_may_take_any_count_but_the_last_of_a_key(words: list[str], kept: st.DataObject) -> None:
    written, ends = _counts(words), Counter(words)
    left = [(key, count) for key, count in written if count == ends[key] or kept.draw(st.booleans())]
    assert counted("changelog", ends, left, compacted=True) == []
    assert counted("changelog", ends, [each for each in left if each != (words[0], ends[words[0]])], compacted=True)
    assert counted("changelog", ends, [*left, left[-1]], compacted=True)


@given(words=WORDS.filter(lambda words: max(Counter(words).values()) > 1))
def test_counts_of_a_word_in_the_wrong_order_are_found(words: list[str]) -> None:
    assert counted("counts", Counter(words), _counts(words)[::-1])


WENT_IN = {0: [b"0", b"2", b"4"], 1: [b"1", b"3"]}


def _copies(*places: tuple[int, bytes]) -> list[Record]:
    """Records of these partitions and values, in this order."""
    return [Record(Place(partition, offset), b"", value) for offset, (partition, value) in enumerate(places)]


EXACT = ((0, b"0"), (1, b"1"), (0, b"2"), (0, b"4"), (1, b"3"))


def test_exact_copies_are_right_however_partitions_are_mixed() -> None:
    assert copied("out", WENT_IN, _copies(*EXACT)) == []


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (EXACT[:-1], ["out, partition 1: 1 did not come out, such as b'3'"]),
        ((*EXACT, (1, b"3")), ["out, partition 1: b'3' came out 2 times"]),
        ((*EXACT, (1, b"9")), ["out, partition 1: 1 came out that never went in, such as b'9'"]),
        ((*EXACT[:2], EXACT[3], EXACT[2], EXACT[4]), ["out, partition 0: b'2' came out after b'4'"]),
        ((*EXACT, (2, b"5")), ["out, partition 2: 1 came out that never went in, such as b'5'"]),
    ],
    ids=["lost", "doubled", "strange", "overtaken", "in a partition of its own"],
)
def test_a_copy_that_is_not_exact_is_found(wrong: tuple[tuple[int, bytes], ...], found: list[str]) -> None:
    assert [each for each in copied("out", WENT_IN, _copies(*wrong)) if each in found] == found


def test_a_copy_in_another_partition_is_missing_in_one_and_strange_in_the_other() -> None:
    assert len(copied("out", WENT_IN, _copies(*EXACT[:-1], (0, b"3")))) == 2


LINES = [b"a", b"b", b"c"]


@pytest.mark.parametrize("came_out", [LINES, [b"a", b"b", b"a", b"b", b"c"]], ids=["once", "written again"])
def test_lines_may_be_written_again_where_nothing_is_transactional(came_out: list[bytes]) -> None:
    assert carried("file", LINES, came_out) == []


@pytest.mark.parametrize(
    ("came_out", "found"),
    [
        ([b"a", b"b"], "file: 1 lines did not come out, such as b'c'"),
        ([b"a", b"c", b"b"], "file: b'b' was first seen after b'c'"),
        ([b"a", b"b", b"c", b"d"], "file: 1 lines came out that never went in, such as b'd'"),
    ],
    ids=["lost", "overtaken", "strange"],
)
def test_a_line_that_is_lost_overtaken_or_strange_is_found(came_out: list[bytes], found: str) -> None:
    assert carried("file", LINES, came_out) == [found]


SHOWN = _copies(*EXACT)


def test_what_was_shown_is_what_is_there() -> None:
    assert unchanged("out", SHOWN, SHOWN[::-1]) == []


@pytest.mark.parametrize(
    ("shown", "there"),
    [
        (SHOWN, SHOWN[:-1]),
        (SHOWN[:-1], SHOWN),
        ([*SHOWN, SHOWN[0]], SHOWN),
        ([SHOWN[0]._replace(value=b"x"), *SHOWN[1:]], SHOWN),
    ],
    ids=["taken back", "never shown", "shown twice", "changed"],
)
def test_what_was_shown_otherwise_is_found(shown: list[Record], there: list[Record]) -> None:
    assert len(unchanged("out", shown, there)) == 1
