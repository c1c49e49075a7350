"""One place that a task reads: what waits there, and how a message becomes a record.

    messages ─▶ queue ─▶ head: read, and not yet run
                          └─ key, value, time, message; of a mark its time and the mark

Only the head is read before its turn, for its time decides whose turn it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from drave.streams.errors import BadRecord
from drave.streams.steps.base import Receiver, nowhere
from drave.streams.steps.sources import Source, TableSource
from drave.streams.transport import Committed, Message, Place
from drave.streams.watermarks import Progress, decode_mark

_RECORD_BYTES: Final = 400
"""What a record takes in memory beside its value."""

Item = tuple[Any, Any, int, Message]

Read = Callable[[Message], Item | None]


class Input:
    """One of a task's places. `upstream` is the number of tasks of ours that write it, or 0 for a topic of others."""

    def __init__(self, place: Place, source: Source, upstream: int) -> None:
        self.place = place
        self.source = source
        self.position: int | None = None
        """The offset behind what has been processed; None: nothing yet."""
        self.progress = Progress(upstream)
        self.measures = False
        """Whether the task's event time goes by this input's."""
        self.queue: deque[Message] = deque()
        self.head: Item | None = None
        self.receive: Receiver = nowhere
        self.read = _marks_or(_reader(source)) if upstream else _reader(source)
        self.saved: Committed | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether records have come that have not been run."""
        return self.head is not None or bool(self.queue)

    @property
    def held_bytes(self) -> int:
        """About how much memory they take."""
        return len(self.queue) * _RECORD_BYTES + sum(map(len, self.queue))


def _reader(source: Source) -> Read:
    """Make a record of a message; None for one that a stream has no use for. Raises BadRecord."""
    topic = source.topic
    decode_key, decode = topic.keys.decode, topic.values.decode
    key_of, time_of = topic.key, topic.time
    is_table = isinstance(source, TableSource)

    def read(message: Message) -> Item | None:
        data = message.value()
        if data is None:
            if not is_table:
                return None
            value = None
        else:
            value = decode(data)
        key_data = message.key()
        if key_data is not None:
            key = decode_key(key_data)
        elif key_of is not None and value is not None:
            key = key_of(value)
        else:
            key = None
        if time_of is not None and value is not None:
            try:
                return key, value, time_of(value), message
            except Exception as error:
                raise BadRecord(f"its time cannot be read: {error}") from error
        return key, value, message.timestamp()[1], message

    return read


def _marks_or(read: Read) -> Read:
    """What tasks upstream write: records, and marks between them, which have no key. A mark's turn is by its time."""

    def read_either(message: Message) -> Item | None:
        if message.key() is None:
            mark = decode_mark(message.value() or b"")
            return None, mark, mark.time, message
        return read(message)

    return read_either
