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
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.meter import Span
from bench.row import Metric
from bench.rows import metrics

COMPARISONS: Final = (
    ("each write synced", "Drave fsync", "Kafka fsync"),
    ("page cache", "Drave os", "Kafka os"),
    ("across", "Drave fsync", "Kafka os"),
)


CLIENT_SHARE_MAX: Final = 0.5
"""A bench that took less of a core waited, or shared the machine with others."""


class Results:
    """All samples: metric, then arm, then one figure a round."""

    def __init__(self) -> None:
        self.samples: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.busy: defaultdict[str, defaultdict[str, list[tuple[float, float]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        """The same for the share of a core that the bench and the broker took beside a figure."""
        self.failures: list[str] = []

    def add(self, arm: str, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self.samples[name][arm].append(value)

    def add_spans(self, arm: str, spans: Mapping[str, Span]) -> None:
        for name, span in spans.items():
            self.busy[name][arm].append((span.client_share, span.broker_share))

    def median(self, metric: str, arm: str) -> float | None:
        values = self.samples[metric][arm]
        return statistics.median(values) if values else None

    def ratio(self, metric: Metric, ours: str, theirs: str) -> float | None:
        """The median of the rounds' ratios; None where one side was not measured, or came to nothing."""
        pairs = zip(self.samples[metric.name][ours], self.samples[metric.name][theirs], strict=False)
        ratios = [_ratio(metric, our, their) for our, their in pairs if our > 0 and their > 0]
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
    return our / their if metric.more_is_better else their / our


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


def busy_table(results: Results, arms: list[str]) -> Table:
    """Who was at work beside each figure. Where the bench was busier than the broker, the figure is the bench's."""
    out = Table(title="Shares of a core", caption="bench + broker; *: the bench itself may be the limit")
    out.add_column("")
    for arm in arms:
        out.add_column(arm, justify="right")
    for name in (metric.name for metric in metrics() if metric.name in results.busy):
        out.add_row(name, *(_paint_shares(results.busy[name][arm]) for arm in arms))
    return out


def _paint_shares(shares: list[tuple[float, float]]) -> str:
    if not shares:
        return "-"
    client, broker = (statistics.median(each) for each in zip(*shares, strict=True))
    text = f"{client:.0%} + {broker:.0%}"
    return f"[yellow]* {text}[/]" if client > max(broker, CLIENT_SHARE_MAX) else text


def _paint(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"[{'green' if ratio >= 1 else 'red'}]{ratio:.2f}[/]"


def show(results: Results, arms: list[str], console: Console) -> None:
    """Print the tables, and what went wrong."""
    console.print(table(results, arms))
    if results.busy:
        console.print(busy_table(results, arms))
    for failure in results.failures:
        console.print(f"[red]failed[/] {failure}")


def write(results: Results, arms: list[str], folder: Path) -> Path:
    """Keep every sample, and what it was measured on."""
    folder.mkdir(exist_ok=True)
    path = folder / time.strftime("%Y-%m-%d-%H%M%S.json", time.gmtime())
    asked = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    path.write_text(json.dumps(document(results, arms, asked.stdout.strip()), indent=2))
    return path


def document(results: Results, arms: list[str], commit: str) -> dict[str, object]:
    """All of it, for JSON: what was measured, on what, every sample, and the ratios."""
    return {
        "commit": commit,
        "machine": {
            "cores": os.cpu_count(),
            "platform": platform.platform(),
            "python": f"{platform.python_version()} ({platform.python_compiler()})",
        },
        "load_average": os.getloadavg(),
        "arms": arms,
        "metrics": [asdict(metric) | {"section": metric.section.value} for metric in metrics()],
        "samples": results.samples,
        "medians": {metric.name: {arm: results.median(metric.name, arm) for arm in arms} for metric in metrics()},
        "ratios": {
            title: {metric.name: results.ratio(metric, ours, theirs) for metric in metrics()}
            for title, ours, theirs in COMPARISONS
        },
        "shares of a core, bench and broker": results.busy,
        "failures": results.failures,
    }
