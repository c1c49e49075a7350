"""`python -m bench.streams`: every engine, every job, both guarantees; a table, and JSON for who wants to draw."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench import reference
from bench.brokers import Drave, Kafka
from bench.streams import records
from bench.streams.measure import Failed, MakeBroker, Result, measure
from bench.streams.peers import ALO, EOS, PEERS, Peer

BROKERS: Final[Mapping[str, MakeBroker]] = {
    "drave": lambda folder: Drave(folder, settings={"durability": "os"}),
    "kafka": Kafka,
}
"""Both in the page cache: what is compared here is what reads from them."""


def main() -> int:
    options = _parse()
    peers = [peer for peer in PEERS if not options.only or peer.name in options.only]
    ready: list[Peer] = []
    for peer in peers:
        try:
            peer.prepare()
        except reference.Missing as missing:
            print(f"{peer.name} is skipped: {missing}")
        else:
            ready.append(peer)
            print(f"{peer.name} {peer.version()}")
    found: dict[str, list[dict[str, object]]] = {}
    for guarantee in options.guarantees:
        for job in options.jobs:
            print(f"\n{job}, {guarantee.replace('_', ' ')}, {options.records:,} records", flush=True)
            for peer in ready:
                if guarantee not in peer.guarantees:
                    print(f"  {peer.name:16} has no such guarantee with Kafka")
                    continue
                row = _row(BROKERS[options.broker], peer, job, guarantee, options)
                print(f"  {peer.name:16} {_told(row)}", flush=True)
                found.setdefault(f"{job}, {guarantee}", []).append({"engine": peer.name, **row})
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def _row(broker: MakeBroker, peer: Peer, job: str, guarantee: str, options: argparse.Namespace) -> dict[str, object]:
    results: list[Result] = []
    for turn in range(options.rounds):
        try:
            results.append(
                measure(broker, peer, job, guarantee, options.records, latency=options.latency and turn == 0)
            )
        except Failed as failed:
            return {"failed": str(failed)}
    latency = results[0].latency_ms
    return {
        "rate": round(statistics.median(result.rate for result in results)),
        "cpu_s_per_million": round(statistics.median(result.cpu_s for result in results), 2),
        "latency_ms_p50": None if latency is None else round(latency[0], 1),
        "latency_ms_p99": None if latency is None else round(latency[1], 1),
    }


def _told(row: dict[str, object]) -> str:
    if "failed" in row:
        return f"does not count: {row['failed']}"
    latency = (
        ""
        if row["latency_ms_p50"] is None
        else (f"   at half rate {row['latency_ms_p50']} ms, 99 %: {row['latency_ms_p99']} ms")
    )
    return f"{row['rate']:>9,}/s   {row['cpu_s_per_million']:>6} s of processor a million{latency}"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", action="append", choices=[peer.name for peer in PEERS], help="an engine; repeatable")
    parser.add_argument("--job", action="append", dest="jobs", choices=records.JOBS)
    parser.add_argument("--guarantee", action="append", dest="guarantees", choices=(ALO, EOS))
    parser.add_argument("--broker", choices=tuple(BROKERS), default="drave")
    parser.add_argument("--no-latency", action="store_false", dest="latency")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    options.jobs = options.jobs or list(records.JOBS)
    options.guarantees = options.guarantees or [ALO, EOS]
    return options


if __name__ == "__main__":
    raise SystemExit(main())
