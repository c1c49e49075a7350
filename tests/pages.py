"""Pages of the documentation, followed as somebody would: files are written, commands typed in their order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


class Page:
    """What a page has its reader write and type, and what it shows; a file's first line is its name."""

    def __init__(self, name: str) -> None:
        text = (DOCS / name).read_text(encoding="utf-8")
        blocks = re.findall(r"^```(python|sh|text)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
        self.files = {block.split("\n", 1)[0].removeprefix("# "): block for kind, block in blocks if kind == "python"}
        self.commands = [block for kind, block in blocks if kind == "sh"]
        self.shown = [block for kind, block in blocks if kind == "text"]


class Folder:
    """Where somebody follows a page."""

    def __init__(self, page: Page, path: Path, bootstrap: str = "localhost:1") -> None:
        self.path = path
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = os.environ | {"PATH": binaries, "DRAVE_BOOTSTRAP": bootstrap}
        for name, text in page.files.items():
            (path / name).write_text(text, encoding="utf-8")

    def run(self, block: str) -> str:
        """What its commands print; they must succeed."""
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", block], cwd=self.path, env=self.environment, capture_output=True, text=True,
            check=False, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout
