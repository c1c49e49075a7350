"""The engines: how each is installed, and the command that runs one of the jobs.

Each has a virtual environment of its own below the cache folder, so that what they need does not meet; Kafka Streams
has Apache Kafka's jars. An engine that cannot be here is skipped with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import reference

APPS: Final = Path(__file__).with_name("apps")
ALO: Final = "at_least_once"
EOS: Final = "exactly_once"


@dataclass(frozen=True)
class Peer:
    """One engine. `packages` go into its environment."""

    name: str
    script: str
    packages: Sequence[str] = ()
    guarantees: Sequence[str] = (ALO, EOS)
    updates: bool = False
    """It tells each change of a window."""
    joins: bool = True
    """It reads as a member of a group."""
    records_max: int = sys.maxsize
    """With more a run would take minutes; a rate is a rate."""
    records_max_of: Mapping[str, int] = field(default_factory=dict)
    """The same for jobs that take it longer."""

    def records(self, job: str, asked: int) -> int:
        """How many it is given."""
        return min(asked, self.records_max_of.get(job, self.records_max))

    def prepare(self) -> None:
        """Install it, once. Raises `reference.Missing` with the reason where that cannot be."""
        folder = self._folder()
        ready = folder / ".ready"
        if ready.exists() and ready.read_text().split() == list(self.packages):
            return
        venv.create(folder, with_pip=True)
        done = subprocess.run(
            [folder / "bin" / "python", "-m", "pip", "install", "--quiet", *self.packages],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise reference.Missing(f"{self.name} cannot be installed: {done.stderr.strip()[-200:]}")
        ready.write_text("\n".join(self.packages))

    def version(self) -> str:
        shown = subprocess.run(
            [self._folder() / "bin" / "python", "-m", "pip", "show", self.packages[0].partition("[")[0]],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return next(line.split()[1] for line in shown.stdout.splitlines() if line.startswith("Version:"))

    def command(self, bootstrap: str, job: str, guarantee: str, state: Path) -> list[str]:
        python = self._folder() / "bin" / "python"
        return [str(python), str(APPS / self.script), bootstrap, job, guarantee, str(state)]

    def _folder(self) -> Path:
        return reference.cache().parent / f"streams-{self.name}-{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Ours(Peer):
    """Drave Streams, from where this runs."""

    def prepare(self) -> None:
        pass

    def version(self) -> str:
        return "here"

    def command(self, bootstrap: str, job: str, guarantee: str, state: Path) -> list[str]:
        return [sys.executable, str(APPS / self.script), bootstrap, job, guarantee, str(state)]


@dataclass(frozen=True)
class KafkaStreams(Peer):
    """Apache Kafka's own, in Java: the yardstick from outside of Python."""

    classes: Path = field(default_factory=lambda: reference.cache().parent / "streams-java")

    def prepare(self) -> None:
        library = reference.download()
        if not any(library.glob("kafka-streams-*.jar")):
            raise reference.Missing(
                f"{library} holds no kafka-streams-*.jar; remove the folder, and it is fetched anew"
            )
        self.classes.mkdir(parents=True, exist_ok=True)
        source = APPS / "java" / "KafkaStreamsJobs.java"
        compiled = subprocess.run(
            ["javac", "-cp", f"{library}/*", "-d", self.classes, source], capture_output=True, text=True, check=False
        )
        if compiled.returncode:
            raise reference.Missing(f"Kafka Streams' jobs do not compile: {compiled.stderr.strip()[-400:]}")

    def version(self) -> str:
        return reference.VERSION

    def command(self, bootstrap: str, job: str, guarantee: str, state: Path) -> list[str]:
        path = os.pathsep.join((str(self.classes), f"{reference.library()}/*"))
        return ["java", "-Xmx1g", "-cp", path, "KafkaStreamsJobs", bootstrap, job, guarantee, str(state)]


PEERS: Final[Sequence[Peer]] = (
    Ours("Drave Streams", "drave_streams.py"),
    Peer("quixstreams", "quix_streams.py", ("quixstreams",), records_max=200_000, records_max_of={"join": 40_000}),
    Peer("faust-streaming", "faust_streams.py", ("faust-streaming[uvloop,orjson]",), updates=True, records_max=30_000),
    Peer("bytewax", "byte_wax.py", ("bytewax[kafka]",), guarantees=(ALO,), joins=False, records_max=200_000),
    KafkaStreams("Kafka Streams", ""),
)
