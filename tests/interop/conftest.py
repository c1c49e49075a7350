"""Kafka's own tools, where Java and its jars are; where they are not, all of this is skipped with the reason."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from bench import reference

FIRST_OF_A_LATER_SEGMENT: Final = re.compile(r"Non-consecutive offsets in .*\n(  -1 is followed by \d+\n)")
"""The tool expects every file to begin at offset 0, also of Kafka's own."""

GAP: Final = re.compile(r"(Non-consecutive offsets in .*\n)?  \d+ is followed by \d+\n?")
"""And it expects no gaps, also where Kafka has compacted."""


class Batch(NamedTuple):
    """One batch as the dump tool reports it."""

    base_offset: int
    last_offset: int
    producer_id: int
    codec: str
    valid: bool


class Dump(NamedTuple):
    """What the dump tool says of some files."""

    text: str

    @property
    def batches(self) -> list[Batch]:
        pattern = r"baseOffset: (\d+) lastOffset: (\d+) .*producerId: (-?\d+) .*compresscodec: (\w+) .*isvalid: (\w+)"
        found = re.findall(pattern, self.text)
        return [Batch(int(base), int(last), int(who), codec, ok == "true") for base, last, who, codec, ok in found]

    @property
    def payloads(self) -> list[str]:
        """The values of all records, in their order."""
        return re.findall(r"^\| offset: .* payload: (.*)$", self.text, re.MULTILINE)

    @property
    def offsets(self) -> list[int]:
        """The offsets of all records, in their order."""
        return [int(offset) for offset in re.findall(r"^\| offset: (\d+)", self.text, re.MULTILINE)]


DumpTool = Callable[..., Dump]


@pytest.fixture(scope="session")
def dump() -> DumpTool:
    """`dump(files, option, …)`: Kafka's DumpLogSegments. With `gaps`, offsets may be missing."""
    try:
        reference.library()
    except reference.Missing as missing:
        pytest.skip(str(missing))

    def run(files: Iterable[Path], *options: str, gaps: bool = False) -> Dump:
        listed = ",".join(map(str, files))
        assert listed, "there are files to look at"
        command = reference.java("org.apache.kafka.tools.DumpLogSegments", *options, "--files", listed)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        complaints = FIRST_OF_A_LATER_SEGMENT.sub("", done.stderr)
        complaints = (GAP.sub("", complaints) if gaps else complaints).strip()
        assert not complaints, complaints
        return Dump(done.stdout)

    return run
