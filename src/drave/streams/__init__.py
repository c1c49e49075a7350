"""Streams, processed one record at a time, with state, exactly once; on Drave and on any Kafka.

    from drave.streams import App, tumbling, count

    app = App("demand")
    requests = app.topic("requests", Request, key="zone", time="requested_at")
    requests.group_by("zone").window(tumbling("1m")).agg(riders=count()).final().to("demand")

Written with `app.py` and `stream.py`, described by `topology.py` and `steps/`, run by `engine.py` and `task.py` on a
`transport.py` (`kafka/`, or `testing/` without a broker), with state in `state/`.
"""

from __future__ import annotations

from drave.streams import agg
from drave.streams.agg import count, distinct, first, last, mean, top
from drave.streams.app import App
from drave.streams.errors import BadRecord, BadTopology, StreamsError
from drave.streams.steps.processing import Cell
from drave.streams.stream import Stream
from drave.streams.tables import Table
from drave.streams.windows import Windowed, hopping, session, sliding, tumbling

__all__ = [
    "App",
    "BadRecord",
    "BadTopology",
    "Cell",
    "Stream",
    "StreamsError",
    "Table",
    "Windowed",
    "agg",
    "count",
    "distinct",
    "first",
    "hopping",
    "last",
    "mean",
    "session",
    "sliding",
    "top",
    "tumbling",
]
