"""`python -m bench.streams`: every engine, every job, both guarantees; a table, and JSON and a picture to keep.

Rounds go through all engines in turn, so that a machine that is busy for a while is so for all of them. What is shown
is the median of an engine's rounds; latency is measured in the first.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import reference
from bench.brokers import Drave, Kafka
from bench.streams import records, report
from bench.streams.measure import Failed, MakeBroker, Result, measure
from bench.streams.peers import ALO, EOS, PEERS, Peer

BROKERS: Final[Mapping[str, MakeBroker]] = {
    "drave": lambda folder: Drave(folder, settings={"durability": "os"}),
    "kafka": Kafka,
}
"""Both in the page cache: what is compared here is what reads from them."""


def main() -> int:
    options = _parse()
    began = time.monotonic()
    if (load := os.getloadavg()[0]) > (os.cpu_count() or 1) / 4:
        print(f"This machine is busy (load {load:.1f}): ratios hold better than figures.")
    ready = _prepared([peer for peer in PEERS if not options.only or peer.name in options.only])
    found: report.Report = {
        "broker": options.broker,
        "rounds": options.rounds,
        "machine": {"cores": os.cpu_count() or 1, "python": platform.python_version()},
        "engines": {peer.name: peer.version() for peer in ready},
        "rows": [],
    }
    for guarantee in options.guarantees:
        for job in options.jobs:
            print(f"\n{report.told(job, guarantee)}", flush=True)
            found["rows"].append({"job": job, "guarantee": guarantee, "engines": _row(ready, job, guarantee, options)})
            if options.json:
                report.write(found, options.json)
    print(f"\n{report.markdown(found)}\n\nIt took {time.monotonic() - began:.0f} s.")
    if options.publish:
        report.publish(found, options.publish)
        print(f"Published in {options.publish}.")
    return 0


def _prepared(peers: Sequence[Peer]) -> list[Peer]:
    ready: list[Peer] = []
    for peer in peers:
        try:
            peer.prepare()
        except reference.Missing as missing:
            print(f"{peer.name} is skipped: {missing}")
        else:
            ready.append(peer)
            print(f"{peer.name} {peer.version()}")
    return ready


def _row(peers: Sequence[Peer], job: str, guarantee: str, options: argparse.Namespace) -> list[report.Figures]:
    """The engines' figures for one job, in their order. Whoever fails once is not asked again."""
    results: dict[str, list[Result]] = {}
    figures: dict[str, report.Figures] = {}
    for peer in peers:
        if guarantee not in peer.guarantees:
            figures[peer.name] = {"engine": peer.name, "failed": "it has no such guarantee with Kafka"}
    for turn in range(options.rounds):
        for peer in peers:
            if peer.name in figures:
                continue
            count = peer.records(job, options.records)
            try:
                result = measure(
                    BROKERS[options.broker], peer, job, guarantee, count, with_latency=options.latency and turn == 0
                )
            except Failed as failed:
                figures[peer.name] = {"engine": peer.name, "failed": str(failed)}
                print(f"  {peer.name:16} does not count: {failed}", flush=True)
            else:
                results.setdefault(peer.name, []).append(result)
                print(f"  {peer.name:16} {_told(result)}", flush=True)
    for peer in peers:
        if peer.name not in figures:
            figures[peer.name] = _summary(peer, results[peer.name], peer.records(job, options.records))
    return [figures[peer.name] for peer in peers]


def _summary(peer: Peer, results: Sequence[Result], count: int) -> report.Figures:
    figures: report.Figures = {
        "engine": peer.name,
        "records": count,
        "rate": round(statistics.median(result.rate for result in results)),
        "rates": [round(result.rate) for result in results],
        "cpu_s_per_million": round(statistics.median(result.cpu_s for result in results), 2),
    }
    if (latency := results[0].latency_ms) is not None:
        figures["latency_ms_p50"], figures["latency_ms_p99"] = (round(each, 1) for each in latency)
    return figures


def _told(result: Result) -> str:
    latency = result.latency_ms
    at_half = "" if latency is None else f"   at half rate {latency[0]:.1f} ms, 99 %: {latency[1]:.1f} ms"
    return f"{result.rate:>9,.0f}/s   {result.cpu_s:>7.2f} s of processor a million{at_half}"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000, help="slow engines are given fewer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=[peer.name for peer in PEERS], help="an engine; repeatable")
    parser.add_argument("--job", action="append", dest="jobs", choices=records.JOBS)
    parser.add_argument("--guarantee", action="append", dest="guarantees", choices=(ALO, EOS))
    parser.add_argument("--broker", choices=tuple(BROKERS), default="drave")
    parser.add_argument("--no-latency", action="store_false", dest="latency")
    parser.add_argument("--json", type=Path, metavar="FILE", help="written after each row")
    parser.add_argument("--publish", type=Path, metavar="FOLDER", help="for bench-streams.json and bench-streams.svg")
    options = parser.parse_args()
    options.jobs = options.jobs or list(records.JOBS)
    options.guarantees = options.guarantees or [ALO, EOS]
    return options


if __name__ == "__main__":
    raise SystemExit(main())
