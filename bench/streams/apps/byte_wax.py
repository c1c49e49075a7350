"""The four jobs with bytewax, which cannot write to Kafka exactly once. Usage: as the others."""

import json
import sys
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

bootstrap, job, guarantee, state = sys.argv[1:]
flow = Dataflow(f"bench-{job}")


def read(topic):
    source = kop.input(f"in-{topic}", flow, brokers=[bootstrap], topics=[topic], tail=True, batch_size=1000)
    return op.map(f"parse-{topic}", source.oks, lambda message: (message.key.decode(), json.loads(message.value)))


def to_message(pair):
    return KafkaSinkMessage(pair[0].encode(), json.dumps(pair[1]).encode())


stream = read("rides")

if job == "map":

    def total(pair):
        return (pair[0], {"id": pair[1]["id"], "total": pair[1]["fare"] * 2}) if pair[1]["fare"] > 1_000 else None

    stream = op.filter_map("map", stream, total)

if job == "count":
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    clock = win.EventClock(
        ts_getter=lambda ride: epoch + timedelta(milliseconds=ride["time"]),
        wait_for_system_duration=timedelta(seconds=1),
    )
    windower = win.TumblingWindower(length=timedelta(seconds=10), align_to=epoch)
    counted = win.fold_window(
        "count", stream, clock, windower, lambda: 0, lambda count, ride: count + 1, lambda one, other: one + other
    )

    def result(pair):
        zone, (window, count) = pair
        return zone, {"zone": zone, "start": window * 10_000, "count": count}

    stream = op.map("result", counted.down, result)

if job == "join":

    def meet(base, value):
        if "base" in value:
            return value["base"], None
        return base, None if base is None else {"id": value["id"], "price": value["fare"] * base}

    both = op.merge("both", stream, read("zones"))
    met = op.stateful_map("meet", both, meet)
    stream = op.filter_map("met", met, lambda pair: None if pair[1] is None else pair)

kop.output("out", op.map("encode", stream, to_message), brokers=[bootstrap], topic="out")
cli_main(flow)
