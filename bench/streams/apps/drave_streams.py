"""The four jobs with Drave Streams. Usage: python drave_streams.py BOOTSTRAP JOB GUARANTEE STATE"""

import logging
import sys

import msgspec

from drave.streams import App, Windowed, tumbling

bootstrap, job, guarantee, state = sys.argv[1:]
logging.basicConfig(level=logging.WARNING)


class Ride(msgspec.Struct):
    id: int
    zone: str
    time: int
    fare: int
    note: str


class Zone(msgspec.Struct):
    base: int


class Total(msgspec.Struct):
    id: int
    total: int


class Price(msgspec.Struct):
    id: int
    price: int


class Riders(msgspec.Struct):
    zone: str
    start: int
    count: int


app = App(f"bench-{job}", guarantee=guarantee)
rides = app.topic("rides", Ride, key="zone", time="time")

if job == "pass":
    rides.to("out")

if job == "map":

    @app.stream(rides.filter(lambda ride: ride.fare > 1_000), to="out")
    def total(ride: Ride) -> Total:
        return Total(ride.id, ride.fare * 2)


if job == "count":

    @app.stream(rides.group_by("zone").window(tumbling("10s", grace="1s")).count().final(), to="out")
    def riders(window: Windowed[int]) -> Riders:
        return Riders(window.key, window.start, window.value)


if job == "join":

    @app.stream(rides.join(app.table("zones", Zone)), to="out")
    def price(ride: Ride, zone: Zone) -> Price:
        return Price(ride.id, ride.fare * zone.base)


app.run(bootstrap, state=state)
