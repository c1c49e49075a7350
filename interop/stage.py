"""What every program is run on: a broker of its own, a seed, and a number of deaths."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from confluent_kafka.admin import AdminClient, NewTopic

from bench.brokers import BrokerProcess
from torture.clients import PATIENCE_S
from torture.kills import start_and_kill

PARTITIONS: Final = 4
KILLED_WITHIN_S: Final = 0.4
"""Some of the deaths that fall within a start hit the recovery of its log."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program was seen to do."""

    version: str
    facts: Sequence[str]
    """What was counted, each a short phrase: `12 kills`, `40,112 words`."""
    violations: Sequence[str] = ()
    """What must not be, each a sentence; none is what one wants."""


@dataclass
class Stage:
    """Where one program is run. The broker is running when it gets here, and may be killed."""

    broker: BrokerProcess
    folder: Path
    chance: random.Random
    kills: int
    progress: Callable[[str], None] = lambda _: None
    struck: Counter[str] = field(default_factory=Counter)
    recoveries: int = 0
    """How often the broker was killed once more while it started."""

    @property
    def bootstrap(self) -> str:
        return self.broker.bootstrap

    def create(self, *topics: str, partitions: int = PARTITIONS, **configs: str) -> None:
        """Topics with these configs; `_` in a name is a dot."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        dotted = {name.replace("_", "."): value for name, value in configs.items()}
        for done in admin.create_topics([NewTopic(topic, partitions, 1, config=dotted) for topic in topics]).values():
            done.result(PATIENCE_S)

    def kill_the_broker(self) -> None:
        """And start it again; one time in four it is killed once more before it is up. That Kafka survives that too is
        not asked of it: its start takes longer than all else together."""
        self.broker.kill()
        if self.broker.product == "Drave" and self.chance.random() < 0.25:
            start_and_kill(self.broker, self.chance.uniform(0.0, KILLED_WITHIN_S))
            self.recoveries += 1
        self.broker.start()

    def blows(self, kinds: Sequence[str], share: float = 1) -> Iterator[str]:
        """This share of all blows: of each kind as many as of the others, in an order that the seed decides."""
        plan = [kinds[number % len(kinds)] for number in range(round(self.kills * share))]
        self.chance.shuffle(plan)
        for kind in plan:
            yield kind
            self.struck[kind] += 1
            self.progress(f"{self.struck.total()} of {self.kills}: {kind}")

    def deaths(self) -> str:
        """What befell the run, as a fact."""
        kinds = ", ".join(f"{times} × {kind}" for kind, times in sorted(self.struck.items()))
        again = f", {self.recoveries} × broker once more while it started" if self.recoveries else ""
        return f"{self.struck.total()} blows ({kinds}{again})" if kinds else "nobody was killed"
