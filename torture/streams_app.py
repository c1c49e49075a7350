"""The app that is killed: `python -m torture.streams_app BOOTSTRAP FOLDER GUARANTEE COPIES`.

events ─▶ echo                                  each event once
       └▶ by lane, through a topic ─▶ counts    for each lane 1, 2, 3, … with nothing left out and nothing twice
"""

from __future__ import annotations

import logging
import sys

import msgspec

from drave.streams import App


class Event(msgspec.Struct):
    number: int
    key: str
    lane: str


class Counted(msgspec.Struct):
    lane: str
    count: int


EVENTS, ECHO, COUNTS = "events", "echo", "counts"


def build(guarantee: str, standby: int) -> App:
    app = App("tortured", guarantee=guarantee, standby=standby)
    events = app.topic(EVENTS, Event, key="key")
    events.map(lambda event: event, name="echoed").to(ECHO)
    counts = events.group_by("lane").count(name="lanes").changes()
    counts.to(COUNTS)
    return app


if __name__ == "__main__":
    bootstrap, folder, guarantee, standby = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    build(guarantee, int(standby)).run(bootstrap, state=folder)
