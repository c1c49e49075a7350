"""Help, exit codes, and that an error is one sentence."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

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
def test_an_output_that_is_full_is_one_sentence_and_exit_code_1(kafka: str) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "drave.cli", "topic", "list", "--json", "--bootstrap", kafka]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
