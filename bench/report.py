"""The table for people and the JSON file for whoever wants to look again.

A ratio above 1 always says that Drave is ahead: for rates it is Drave over Kafka, for times, memory and processor
seconds Kafka over Drave. It is the median of the rounds' ratios, each taken within one round.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.rows import Metric, metrics

COMPARISONS: Final = (
    ("each write synced", "Drave fsync", "Kafka fsync"),
    ("page cache", "Drave os", "Kafka os"),
    ("across", "Drave fsync", "Kafka os"),
)


class Results:
    """All samples: metric, then arm, then one figure a round."""

    def __init__(self) -> None:
        self.samples: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.failures: list[str] = []

    def add(self, arm: str, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self.samples[name][arm].append(value)

    def median(self, metric: str, arm: str) -> float | None:
        values = self.samples[metric][arm]
        return statistics.median(values) if values else None

    def ratio(self, metric: Metric, ours: str, theirs: str) -> float | None:
        """The median of the rounds' ratios; None where one side was not measured."""
        pairs = zip(self.samples[metric.name][ours], self.samples[metric.name][theirs], strict=False)
        ratios = [_ratio(metric, our, their) for our, their in pairs]
        return statistics.median(ratios) if ratios else None

    def behind(self) -> list[str]:
        """The rows on which Drave is behind, like for like and across."""
        return [
            f"{title}: {metric.name} ({ratio:.2f})"
            for title, ours, theirs in COMPARISONS
            for metric in metrics()
            if (ratio := self.ratio(metric, ours, theirs)) is not None and ratio < 1
        ]


def _ratio(metric: Metric, our: float, their: float) -> float:
    if metric.more_is_better:
        return our / their if their else float("inf")
    return their / our if our else float("inf")


def table(results: Results, arms: list[str]) -> Table:
    """Medians of every arm, and the ratios of every comparison whose two arms were measured."""
    comparisons = [(title, ours, theirs) for title, ours, theirs in COMPARISONS if ours in arms and theirs in arms]
    out = Table(title="Drave beside Apache Kafka", caption="medians; a ratio above 1 says that Drave is ahead")
    out.add_column("")
    out.add_column("unit")
    for arm in arms:
        out.add_column(arm, justify="right")
    for title, *_ in comparisons:
        out.add_column(f"ratio,\n{title}", justify="right")
    for metric in metrics():
        medians = [results.median(metric.name, arm) for arm in arms]
        if all(median is None for median in medians):
            continue
        figures = ["-" if median is None else f"{median:,.{metric.decimals}f}" for median in medians]
        ratios = [_paint(results.ratio(metric, ours, theirs)) for _, ours, theirs in comparisons]
        out.add_row(metric.name, metric.unit, *figures, *ratios)
    return out


def _paint(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"[{'green' if ratio >= 1 else 'red'}]{ratio:.2f}[/]"


def show(results: Results, arms: list[str], console: Console) -> None:
    """Print the table, the generator's own load and what went wrong."""
    console.print(table(results, arms))
    busiest = [
        (max(values), name, arm)
        for name, by_arm in results.samples.items()
        if name.startswith("generator busy")
        for arm, values in by_arm.items()
    ]
    if busiest:
        share, name, arm = max(busiest)
        console.print(f"The load generator took at most {share:.0%} of a core ({name.partition(', ')[2]}, {arm}).")
    for failure in results.failures:
        console.print(f"[red]failed[/] {failure}")


def write(results: Results, arms: list[str], folder: Path) -> Path:
    """Keep every sample, and what it was measured on."""
    folder.mkdir(exist_ok=True)
    path = folder / time.strftime("%Y-%m-%d-%H%M%S.json", time.gmtime())
    asked = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    path.write_text(
        json.dumps(
            {
                "commit": asked.stdout.strip(),
                "machine": {
                    "cores": os.cpu_count(),
                    "platform": platform.platform(),
                    "python": platform.python_version(),
                },
                "load_average": os.getloadavg(),
                "arms": arms,
                "samples": results.samples,
                "ratios": {
                    title: {metric.name: results.ratio(metric, ours, theirs) for metric in metrics()}
                    for title, ours, theirs in COMPARISONS
                },
                "failures": results.failures,
            },
            indent=2,
        )
    )
    return path
