"""The README is true: what it tells people to type works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from drave.broker.dispatch import HANDLERS
from drave.cli.serve import serve
from drave.testing import Broker

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
TRIPS = "pickup,pickup_zone\n2019-03-01 00:00:20,Harlem\n2019-03-01 00:00:10,Soho\n2019-03-01 00:00:15,Harlem\n"


@pytest.mark.slow
def test_every_command_works_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "trips.csv").write_text(TRIPS)
    scripts = Path(sys.executable).parent
    with Broker() as kafka:
        environment = os.environ | {
            "DRAVE_BOOTSTRAP": kafka.bootstrap,
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        }
        said: list[str] = []
        for command in (line for language, block in BLOCKS if language == "sh" for line in block.splitlines()):
            if "drave serve" in command:
                arguments = shlex.split(command.partition("drave serve")[2])
                serve.make_context("serve", arguments)  # what it does with them is tested in tests/cli
                continue
            done = subprocess.run(
                command.replace(".venv/bin/", ""),
                check=False,
                shell=True,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            said.append(done.stdout)
    assert said[1] == "hello\n"
    assert len(said) > 6


def test_every_python_snippet_runs(tmp_path: Path) -> None:
    snippets = [block for language, block in BLOCKS if language == "python"]
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), {})


def test_the_table_of_what_is_served_names_every_key_that_is() -> None:
    table = README.partition("## What is served")[2].partition("##")[0]
    named = set(re.findall(r"\b[A-Z][a-zA-Z]+[a-z]\b", table))
    for key in HANDLERS:
        name = "".join(word.capitalize() for word in key.name.split("_"))
        assert name in named, f"{name} is served, and the README does not say so"
