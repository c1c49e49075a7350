"""Drave answers what Apache Kafka was seen to answer, but for what `differences` gives a reason for.

What Kafka was seen to do lies in `differential/recordings/`; `python -m differential --record` makes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from differential import brokers
from differential.compare import differences
from differential.differences import ON_PURPOSE
from differential.judging import Judge
from differential.play import Player, recorded
from differential.scenario import cases, modules
from drave.testing import Broker


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with Broker(sets=brokers.SETTINGS) as broker:
        yield Player(broker.port)


@pytest.mark.parametrize("module", modules())
def test_each_case_is_answered_as_apache_kafka_answered_it(player: Player, module: str) -> None:
    judge, seen = Judge(ON_PURPOSE), recorded(module)
    wrong = []
    for case in cases(module):
        assert case.name in seen, f"{case.name} was never recorded: python -m differential --record --only {module}"
        found = judge.unexplained(case.name, differences(case.name, seen[case.name], player.play(case)))
        wrong += [f"{case.name}: {difference}" for difference in found]
    assert not wrong, "\n".join([f"{len(wrong)} differences without a reason", *wrong[:40]])
    assert [f"{reason.cases} {reason.place}" for reason in judge.gone()] == [], "these no longer differ"


@pytest.mark.parametrize("module", modules())
def test_nothing_is_recorded_that_is_no_longer_a_case(module: str) -> None:
    assert set(recorded(module)) <= {case.name for case in cases(module)}
