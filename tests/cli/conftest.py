"""A running Kafka, and the commands as functions.

Set TEST_KAFKA=HOST:PORT to hold the commands to another Kafka: they are clients of the protocol.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from click.testing import CliRunner, Result

from drave.cli import main


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """`bootstrap.servers` of a broker that the tests of this process share."""
    other = os.environ.get("TEST_KAFKA")
    if other:
        yield other
        return
    from drave.testing import Broker

    with Broker(initial_task_delay_ms=86_400_000) as broker:  # no retention: some records are years old
        yield broker.bootstrap


@pytest.fixture
def name() -> str:
    """A name that no other test uses, for a topic or a group."""
    return f"t-{uuid.uuid4().hex[:10]}"


Drave = Callable[..., Result]


@pytest.fixture
def drave(kafka: str) -> Drave:
    """Runs a command line against the broker; `code` is the exit code that it must have.

    Unless it is to be `idempotent`, produce is told not to be: librdkafka takes half a second to get its first id.
    """

    def run(line: str, *more: str, stdin: str | bytes | None = None, code: int = 0, idempotent: bool = False) -> Result:
        args = [*line.split(), *more]
        if args[0] == "produce" and not idempotent:
            args += ("--set", "acks=all")
        result = CliRunner().invoke(main, args, input=stdin, env={"DRAVE_BOOTSTRAP": kafka})
        assert result.exit_code == code, f"drave {line}: {result.output} {result.exception!r}"
        return result

    return run


Started = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]


@pytest.fixture
def started() -> Started:
    """Runs a command line in a process of its own, which does not outlive the block."""

    @contextmanager
    def start(*args: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "drave.cli", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environ},
        )
        try:
            with process:
                try:
                    yield process
                except BaseException:
                    process.kill()
                    raise
        finally:
            process.kill()

    return start
