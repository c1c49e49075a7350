"""Help, exit codes, and that an error is one sentence."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import drave.cli.reference
from drave.cli import main

REFERENCE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_reference_in_docs_is_what_the_commands_say() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == drave.cli.reference.render(), (
        "run: python -m drave.cli.reference > docs/cli.md"
    )


def test_help_loads_neither_librdkafka_nor_rich_nor_the_broker() -> None:
    heavy = "confluent_kafka rich asyncio drave.server drave.testing"
    script = f"import sys, drave.cli; print([name for name in {heavy.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_version_is_printed() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.startswith("drave 0.")


@pytest.mark.parametrize(
    "line", ["topic list", "topic create t", "produce t", "consume t", "group list", "group describe g", "demo"]
)
def test_no_broker_is_one_sentence_with_the_remedy_and_exit_code_3(line: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and nobody listens
        bootstrap = f"127.0.0.1:{unused.getsockname()[1]}"
        result = CliRunner().invoke(main, [*line.split(), "--bootstrap", bootstrap], input="x\n")
    assert result.exit_code == 3
    assert result.stderr == f"drave: no broker answers at {bootstrap} (Connection refused); `drave serve` starts one\n"


@pytest.mark.parametrize(
    "line",
    [
        "topic",
        "topic create",
        "topic create t --partitions 0",
        "topic create t --config retention.ms",
        "produce",
        "produce t no-such-file.csv",
        "produce t --time pickup",
        "produce t --speed 5",
        "produce t --key k --key-separator :",
        "produce t --json --key-separator :",
        f"produce t {REFERENCE} --format csv --speed 5",
        f"produce t {REFERENCE} --format csv --time at --speed -1",
        f"produce t {REFERENCE} --format csv --key-separator :",
        "consume",
        "consume t --json --template {key}",
        "consume t --template {nothing}",
        "consume t --from-beginning --offset 3",
        "consume t --from-time soon",
        "consume t --group g --offset 3",
        "consume t --group g --partition 0",
        "consume t u --partition 0",
        "consume t --max 0",
        "group reset-offsets g",
        "group reset-offsets g --to-earliest --to-latest",
        "group reset-offsets g --to-earliest --topic t:x",
        "demo --speed fast",
    ],
)
def test_a_command_line_that_makes_no_sense_is_exit_code_2(line: str) -> None:
    result = CliRunner().invoke(main, line.split())
    assert result.exit_code == 2, result.output
    assert "Usage: drave" in result.stderr or "Usage: main" in result.stderr


def test_a_client_property_that_does_not_exist_is_exit_code_2(kafka: str) -> None:
    result = CliRunner().invoke(main, ["topic", "list", "--bootstrap", kafka, "--set", "no.such.thing=1"])
    assert result.exit_code == 2
    assert result.stderr == 'drave: a client property is not right: No such configuration property: "no.such.thing"\n'


@pytest.mark.parametrize("bootstrap", ["localhost:x", "localhost:0", "localhost:70000"])
def test_an_address_whose_port_is_none_is_exit_code_2(bootstrap: str) -> None:
    result = CliRunner().invoke(main, ["topic", "list", "--bootstrap", bootstrap])
    assert result.exit_code == 2
    assert bootstrap.partition(":")[2] in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
@pytest.mark.parametrize("line", ["topic list --json", "--help", "topic --help", "--version"])
def test_an_output_that_is_full_is_one_sentence_and_exit_code_1(kafka: str, line: str) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "drave", *line.split()]
        done = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=os.environ | {"DRAVE_BOOTSTRAP": kafka},
        )
    assert done.returncode == 1
    assert done.stderr == "drave: No space left on device\n"


@pytest.fixture
def deleting(kafka: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`drave topic delete` on a terminal, with what is typed there."""
    monkeypatch.setattr("drave.cli.topic.is_terminal", lambda stream: True)
    command = ["topic", "delete", "no-such-topic", "--bootstrap", kafka]
    return lambda typed: CliRunner().invoke(main, command, input=typed)


def test_a_no_is_exit_code_1_and_nothing_is_done(deleting: Callable[..., Result]) -> None:
    result = deleting("n\n")
    assert (result.exit_code, result.stderr) == (1, "Nothing has been done.\n")


class Interrupted(io.BytesIO):
    """Whoever should type an answer presses Ctrl-C."""

    def read1(self, size: int | None = -1, /) -> bytes:
        raise KeyboardInterrupt


def test_a_ctrl_c_in_place_of_an_answer_is_exit_code_130(deleting: Callable[..., Result]) -> None:
    assert deleting(Interrupted()).exit_code == 130


def test_a_ctrl_c_while_it_is_still_loading_is_exit_code_130_and_no_traceback() -> None:
    script = """
import importlib.abc, sys

class Interrupted(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "drave.cli.app":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
import drave.cli
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")


def test_python_m_drave_is_drave() -> None:
    done = subprocess.run([sys.executable, "-m", "drave", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("drave 0.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_the_commands(shell: str) -> None:
    result = CliRunner().invoke(main, [], env={"_DRAVE_COMPLETE": f"{shell}_source"}, prog_name="drave")
    assert result.exit_code == 0
    assert "_DRAVE_COMPLETE" in result.stdout


def test_each_command_fits_its_line_in_the_list_of_commands() -> None:
    assert "..." not in CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
