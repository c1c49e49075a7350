"""The four jobs with faust-streaming. Usage: python faust_streams.py BOOTSTRAP JOB GUARANTEE STATE"""

import logging
import sys

logging.disable(logging.INFO)  # it asks the root logger for each record, whatever level it was given
bootstrap, job, guarantee, state = sys.argv[1:]
sys.argv = ["faust", "--quiet", "--loop", "uvloop", "worker", "-l", "warn"]  # the loop is chosen at the import

import faust  # noqa: E402

app = faust.App(
    f"bench-{job}",
    broker=f"kafka://{bootstrap}",
    store="memory://",
    datadir=state,
    processing_guarantee=guarantee,
    topic_partitions=1,
    topic_replication_factor=1,
    web_enabled=False,
    stream_wait_empty=False,
    producer_linger=0.01,
)


class Ride(faust.Record):
    id: int
    zone: str
    time: int
    fare: int
    note: str


class Zone(faust.Record):
    base: int


class Total(faust.Record, include_metadata=False):
    id: int
    total: int


class Price(faust.Record, include_metadata=False):
    id: int
    price: int


class Riders(faust.Record, include_metadata=False):
    zone: str
    start: int
    count: int


class Out(faust.Record, include_metadata=False):
    id: int
    zone: str
    time: int
    fare: int
    note: str


rides = app.topic("rides", key_type=str, value_type=Ride)
out = app.topic("out", key_type=str, value_serializer="json")

if job == "pass":

    @app.agent(rides)
    async def go_on(stream):
        async for key, ride in stream.items():
            await out.send(key=key, value=Out(ride.id, ride.zone, ride.time, ride.fare, ride.note))


if job == "map":

    @app.agent(rides)
    async def total(stream):
        async for key, ride in stream.items():
            if ride.fare > 1_000:
                await out.send(key=key, value=Total(ride.id, ride.fare * 2))


if job == "count":
    counts = app.Table("counts", default=int, partitions=1).tumbling(
        10.0
    )  # which expire by the wall clock, if at all, so not with these records
    counts = counts.relative_to(lambda event: event.value.time / 1_000)

    @app.agent(rides)
    async def riders(stream):
        async for key, ride in stream.items():
            counts[key] += 1
            start = ride.time - ride.time % 10_000
            await out.send(key=key, value=Riders(key, start, counts[key].value()))


if job == "join":
    zones = app.topic("zones", key_type=str, value_type=Zone)
    bases = app.Table("bases", default=int, partitions=1)

    @app.agent(zones)
    async def know(stream):
        async for key, zone in stream.items():
            bases[key] = zone.base

    @app.agent(rides)
    async def price(stream):
        async for key, ride in stream.items():
            await out.send(key=key, value=Price(ride.id, ride.fare * bases[key]))


app.main()
