"""The clients, how each driver is made ready, and why one cannot be here.

What has to be built or fetched goes to `.conformance/`, which git ignores; the second time is quick.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench import reference
from conformance.building import Missing, build, java, needs
from conformance.contract import Shape

ROOT: Final = Path(__file__).resolve().parent
CACHE: Final = ROOT.parent / ".conformance"

Command = list[str]


WHOLE: Final = Shape()
"""All of the contract."""

LINES: Final = Shape(nulls=False, headers=False, timestamps=False)
"""What a person pipes into kcat: keys and values that are there."""

TOOLS: Final = Shape(
    partitions=1,
    timestamps=False,
    otherwise=frozenset({"rebalance", "cooperative", "static", "new-groups", "partitions"}),
)
"""The console producer can say neither the partition nor the timestamp."""


@dataclass(frozen=True, slots=True)
class Client:
    """One client, and how its driver is started."""

    name: str
    ready: Callable[[], Command]
    """Build and fetch what is missing, and return the command that BOOTSTRAP NAME SCENARIO… is put behind. Raises
    Missing or Broken."""
    shape: Shape = WHOLE
    title: str = ""
    """What the table calls it, where that is not its name."""

    @property
    def shown(self) -> str:
        return self.title or self.name


def _python(module: str, *arguments: str) -> Command:
    return [sys.executable, "-m", module, *arguments]


def _kcat() -> Command:
    needs("kcat", hint="apt install kcat")
    return _python("conformance.kcat")


def _tools() -> Command:
    try:
        reference.download()
    except reference.Missing as missing:
        raise Missing(str(missing)) from None
    return _python("conformance.tools")


def _go(name: str) -> Command:
    needs("go", hint="Go 1.26 or newer")
    binary = CACHE / "go" / name
    build(["go", "build", "-mod=readonly", "-o", binary, f"./{name}"], where=ROOT / "go")
    return [str(binary)]


def _node() -> Command:
    needs("node", "npm", hint="Node 18 or newer")
    folder = CACHE / "kafkajs"
    folder.mkdir(parents=True, exist_ok=True)
    lock, installed = ROOT / "kafkajs" / "package-lock.json", folder / "node_modules" / ".package-lock.drave"
    for source in (ROOT / "kafkajs").iterdir():
        shutil.copy(source, folder)
    if not installed.exists() or installed.read_text() != lock.read_text():
        build(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], where=folder)
        installed.write_text(lock.read_text())
    return ["node", str(folder / "driver.js")]


def _java(version: str) -> Command:
    path = java(ROOT / "java", CACHE / f"java-{version}", kafka=version)
    return ["java", "-Xmx256m", "-cp", path, "conformance.Driver"]


CLIENTS: Final = (
    Client("confluent-kafka", partial(_python, "conformance.python", "confluent-kafka")),
    Client("aiokafka", partial(_python, "conformance.python", "aiokafka")),
    Client("kafka-python", partial(_python, "conformance.python", "kafka-python")),
    Client("java", partial(_java, "4.4.0"), title="Java client"),
    Client("java-4.3", partial(_java, "4.3.1"), title="Java client"),
    Client("kafka-tools", _tools, TOOLS, "Kafka's tools"),
    Client("franz-go", partial(_go, "franz_go")),
    Client("sarama", partial(_go, "sarama")),
    Client("kafka-go", partial(_go, "kafka_go")),
    Client("kafkajs", _node),
    Client("kcat", _kcat, LINES),
)
"""In the order of the table's rows."""
