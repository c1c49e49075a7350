"""Where Apache Kafka's jars come from: `$KAFKA_LIB`, else a cache that Maven fills once.

`python -m bench.reference` fills the cache (about 60 MB) and prints where it is. Nothing else here touches the network,
so a test that asks `library()` either finds the jars or is told in one sentence what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

VERSION: Final = "4.3.1"
POM: Final = Path(__file__).with_name("pom.xml")


class Missing(Exception):
    """Apache Kafka cannot be run here; the message says what would help."""


def cache() -> Path:
    """The folder that `download` fills."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "drave" / f"kafka-{VERSION}"


def library() -> Path:
    """The folder of Kafka's jars. Raises `Missing` where Java or the jars are not there."""
    if shutil.which("java") is None:
        raise Missing("Apache Kafka needs Java 17 or newer, and no `java` is on the PATH")
    if given := os.environ.get("KAFKA_LIB"):
        if not any(Path(given).glob("kafka_2.13-*.jar")):
            raise Missing(f"KAFKA_LIB={given} holds no kafka_2.13-*.jar")
        return Path(given)
    if not any(cache().glob("kafka_2.13-*.jar")):
        raise Missing("Apache Kafka's jars are not here: set KAFKA_LIB, or fetch them with `python -m bench.reference`")
    return cache()


def download() -> Path:
    """The same folder, fetched with Maven first where it is missing."""
    try:
        return library()
    except Missing as missing:
        if shutil.which("mvn") is None or shutil.which("java") is None or os.environ.get("KAFKA_LIB"):
            raise Missing(f"{missing} (fetching needs Java and Maven)") from None
    print(f"Fetching Apache Kafka {VERSION} with Maven, once, to {cache()}", file=sys.stderr)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={cache()}"]
    if subprocess.run(["mvn", "-q", "-B", "-f", POM, *goal], check=False).returncode:
        raise Missing("Maven could not fetch Apache Kafka's jars")
    return library()


def java(*arguments: str | Path) -> list[str]:
    """The command line that runs one of Kafka's classes."""
    return ["java", "-cp", f"{library()}/*", *map(str, arguments)]


if __name__ == "__main__":
    try:
        print(download())
    except Missing as missing:
        sys.exit(str(missing))
