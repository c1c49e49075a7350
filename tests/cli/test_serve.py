"""`drave serve`: what it says once it listens, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import AdminClient

from drave.cli import main


def ended(process: subprocess.Popen[str]) -> tuple[str, str, int]:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return out, err, process.returncode


def test_the_first_screen_comes_when_clients_can_connect_and_says_all_that_a_newcomer_needs(
    tmp_path: Path, started: Any
) -> None:
    with started("serve", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0") as process:
        assert process.stdout is not None
        screen = "".join(iter(process.stdout.readline, "Ctrl-C stops.\n"))
        bootstrap = screen.split("--bootstrap ")[1].split()[0]
        assert AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=60).cluster_id
        out, err, code = ended(process)
    assert f"data        {tmp_path / 'data'}" in screen
    assert "durability  fsync" in screen
    assert f"echo hello | drave produce greetings --bootstrap {bootstrap}\n" in screen
    assert f'Producer({{"bootstrap.servers": "{bootstrap}"}})' in screen
    assert "\x1b" not in screen
    assert (out, err, code) == ("Stopped; everything is on the disk.\n", "", 0)


def test_programs_are_told_as_json_and_options_win_over_the_environment_and_the_file(
    tmp_path: Path, started: Any
) -> None:
    config = tmp_path / "drave.toml"
    config.write_text('durability = "os"\nnum.partitions = 7\n')
    args = (
        "serve",
        "--config",
        str(config),
        "--json",
        "--set",
        f"data_folder={tmp_path / 'set'}",
        "--listen",
        "127.0.0.1:0",
    )
    with started(*args, DRAVE_NUM_PARTITIONS="5", DRAVE_DATA_FOLDER=str(tmp_path / "environment")) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        out, _, code = ended(process)
    assert told["data"] == str(tmp_path / "set")
    assert told["durability"] == "os"
    assert [told["bootstrap"]] == told["listening"]
    assert (out, code) == ("", 0)


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("--set", "no.such.setting=1"), "no.such.setting"),
        (("--durability", "maybe"), "must be one of fsync, os"),
        (("--listen", "here"), "must be HOST:PORT"),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_sentence(tmp_path: Path, args: tuple[str, ...], complaint: str) -> None:
    result = CliRunner().invoke(main, ["serve", "--data", str(tmp_path), *args])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert complaint in result.stderr
    assert result.stderr.startswith("drave: ")
    assert result.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path, kafka: str, started: Any) -> None:
    with started("serve", "--data", str(tmp_path), "--listen", kafka) as process:
        out, err = process.communicate(timeout=60)
    assert out == ""
    assert kafka.rpartition(":")[2] in err
    assert "Traceback" not in err
    assert process.returncode == 1
