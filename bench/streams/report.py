"""What a run found: JSON for whoever wants to look again, the README's tables, and a picture.

    rows: job, guarantee ─▶ engines: rate, processor seconds a million, latency, or why there is no figure

`python -m bench.streams.report FILE` prints the tables of a result that was kept.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NotRequired, TypedDict

from bench.streams import picture

JOBS: Final = {
    "pass": "pass on",
    "map": "filter and map",
    "count": "count by key in windows of 10 s",
    "join": "join with a table",
}


class Figures(TypedDict):
    """One engine's in one row."""

    engine: str
    failed: NotRequired[str]
    """Why there are no others."""
    records: NotRequired[int]
    rate: NotRequired[int]
    """Input records a second, the rounds' median."""
    rates: NotRequired[list[int]]
    cpu_s_per_million: NotRequired[float]
    latency_ms_p50: NotRequired[float]
    latency_ms_p99: NotRequired[float]


class Row(TypedDict):
    job: str
    guarantee: str
    engines: list[Figures]


class Machine(TypedDict):
    cores: int
    python: str


class Report(TypedDict):
    broker: str
    rounds: int
    machine: Machine
    engines: dict[str, str]
    """Names and versions."""
    rows: list[Row]


def told(job: str, guarantee: str) -> str:
    return f"{JOBS[job]}, {guarantee.replace('_', ' ')}"


def write(report: Report, path: Path) -> None:
    path.write_text(json.dumps(report, indent=1) + "\n")


def publish(report: Report, folder: Path) -> None:
    """Put the result into a folder, and its picture beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    write(report, folder / "bench-streams.json")
    bars = [
        (told(row["job"], row["guarantee"]), [(each["engine"], each.get("rate")) for each in row["engines"]])
        for row in report["rows"]
    ]
    machine = report["machine"]
    foot = f"Medians of {report['rounds']} rounds in turn, {machine['cores']} cores, Python {machine['python']}."
    (folder / "bench-streams.svg").write_text(picture.draw(bars, foot))


def markdown(report: Report) -> str:
    """Rates with processor seconds, and latency."""
    return f"{_table(report, _throughput)}\n\n{_table(report, _latency)}"


def _table(report: Report, cell: Callable[[Figures], str]) -> str:
    engines = [f"{name} {version}" for name, version in report["engines"].items()]
    lines = [
        f"| job | guarantee | {' | '.join(engines)} |",
        f"| --- | --- |{' ---: |' * len(engines)}",
    ]
    for row in report["rows"]:
        cells = " | ".join(cell(each) for each in row["engines"])
        lines.append(f"| {JOBS[row['job']]} | {row['guarantee'].replace('_', ' ')} | {cells} |")
    return "\n".join(lines)


def _throughput(figures: Figures) -> str:
    if "rate" not in figures:
        return "–"
    rate, cpu_s = figures["rate"], figures["cpu_s_per_million"]
    shown = round(rate, -3) if rate >= 10_000 else round(rate, -2)
    return f"{shown:,}; {cpu_s:.1f} s" if cpu_s < 10 else f"{shown:,}; {cpu_s:.0f} s"


def _latency(figures: Figures) -> str:
    if "latency_ms_p50" not in figures:
        return "–"
    return f"{figures['latency_ms_p50']:,.0f}; {figures['latency_ms_p99']:,.0f} ms"


if __name__ == "__main__":
    kept: Report = json.loads(Path(sys.argv[1]).read_text())
    print(markdown(kept))
