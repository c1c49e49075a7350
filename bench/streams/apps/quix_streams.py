"""The four jobs with quixstreams. Usage: python quix_streams.py BOOTSTRAP JOB GUARANTEE STATE"""

import sys
from datetime import timedelta

from quixstreams import Application

bootstrap, job, guarantee, state = sys.argv[1:]
app = Application(
    broker_address=bootstrap,
    consumer_group=f"bench-{job}",
    auto_offset_reset="earliest",
    processing_guarantee=guarantee.replace("_", "-"),
    state_dir=state,
    auto_create_topics=True,
    loglevel="WARNING",
)
rides = app.topic(
    "rides",
    key_deserializer="str",
    value_deserializer="json",
    timestamp_extractor=lambda value, headers, timestamp, kind: value["time"],
)
out = app.topic("out", key_serializer="str", value_serializer="json")
stream = app.dataframe(rides)

if job == "map":
    stream = stream.filter(lambda ride: ride["fare"] > 1_000)
    stream = stream.apply(lambda ride: {"id": ride["id"], "total": ride["fare"] * 2})

if job == "count":
    stream = (
        stream.tumbling_window(timedelta(seconds=10), grace_ms=timedelta(seconds=1))
        .count()
        .final(closing_strategy="partition")
    )
    stream = stream.apply(
        lambda value, key, timestamp, headers: {"zone": key, "start": value["start"], "count": value["value"]},
        metadata=True,
    )

if job == "join":
    zones = app.dataframe(app.topic("zones", key_deserializer="str", value_deserializer="json"))
    stream = stream.join_asof(
        zones, how="inner", on_merge=lambda ride, zone: {"id": ride["id"], "price": ride["fare"] * zone["base"]}
    )

stream.to_topic(out)
app.run()
