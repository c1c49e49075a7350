"""docs/queues.md is true: its file and commands work in their order, as somebody would type them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from drave.testing import Broker

PAGE = (Path(__file__).parents[1] / "docs" / "queues.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(python|sh)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
FILES = {block.split("\n", 1)[0].removeprefix("# "): block for kind, block in BLOCKS if kind == "python"}
CREATE, WORK, LETTERS, REMIND, RETRIES = [block for kind, block in BLOCKS if kind == "sh"]


class Folder:
    """Where somebody follows the page."""

    def __init__(self, path: Path, bootstrap: str) -> None:
        self.path = path
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = os.environ | {"PATH": binaries, "DRAVE_BOOTSTRAP": bootstrap}
        for name, text in FILES.items():
            (path / name).write_text(text, encoding="utf-8")

    def run(self, block: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", block], cwd=self.path, env=self._environment, capture_output=True, text=True,
            check=False, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.mark.slow
def test_the_worker_does_what_the_page_says_and_what_it_rejects_is_a_dead_letter(tmp_path):
    with Broker() as broker:
        folder = Folder(tmp_path, broker.bootstrap)
        folder.run(CREATE)
        said = folder.run(WORK)
        assert sorted(line for line in said.splitlines() if "delivery" in line) == [
            "bill order 7: ACCEPT, delivery 2",
            "bill order 7: RELEASE, delivery 1",
            "call nobody: REJECT, delivery 1",
            "send mail: ACCEPT, delivery 1",
        ]
        letter = json.loads(folder.run(LETTERS))
        assert letter["value"] == "call nobody"
        assert {"__dlq.errors.group", "__dlq.errors.message"} <= {header[0] for header in letter["headers"]}


@pytest.mark.slow
def test_a_delayed_record_comes_and_the_topics_for_retries_are_made(tmp_path):
    with Broker() as broker:
        folder = Folder(tmp_path, broker.bootstrap)
        assert folder.run(REMIND).splitlines()[-1] == "two seconds ago"
        folder.run(RETRIES)
