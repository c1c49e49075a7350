"""What is built of sources and jars: found, fetched or compiled into a folder that git ignores, or why it cannot be.

The second time is quick.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

LAST_WORDS = 600


class Missing(Exception):
    """What is needed is not on this machine; the message says what."""


class Broken(Exception):
    """It should have been possible to build, and was not."""


def needs(*tools: str, hint: str) -> None:
    """Raises Missing where one of the tools is not on the PATH."""
    for tool in tools:
        if shutil.which(tool) is None:
            raise Missing(f"`{tool}` is not on the PATH ({hint})")


def build(command: Iterable[str | Path], *, where: Path) -> None:
    """Run one step of a build. Raises Broken with its last words."""
    done = subprocess.run(list(map(str, command)), cwd=where, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Broken(f"{next(iter(command))} failed: {(done.stderr or done.stdout).strip()[-LAST_WORDS:]}")


def java(source: Path, target: Path, **properties: str) -> str:
    """Fetch the jars of `source/pom.xml`, compile `source/src` beside them, and return the class path of both.

    With other properties than the file has, they belong to another target.
    """
    needs("java", "javac", "mvn", hint="Java 17 or newer, and Maven")
    pom, copied = source / "pom.xml", target / "lib" / "pom.xml"
    if not copied.exists() or copied.read_text() != pom.read_text():
        shutil.rmtree(target, ignore_errors=True)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={target / 'lib'}"]
        given = [f"-D{name}={value}" for name, value in properties.items()]
        build(["mvn", "-q", "-B", "-f", pom, *given, *goal], where=source)
        shutil.copy(pom, copied)
    classes, jars = target / "classes", f"{target / 'lib'}/*"
    sources = sorted((source / "src").rglob("*.java"))
    build(["javac", "--release", "17", "-d", classes, "-cp", jars, *sources], where=source)
    return f"{classes}:{jars}"
