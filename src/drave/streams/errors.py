"""What can go wrong in a stream app, one class each."""

from __future__ import annotations

from drave.model.errors import DraveError


class StreamsError(DraveError):
    """Something a stream app cannot go on with."""


class BadTopology(StreamsError):
    """The app's steps do not fit together. Raised while it is built or started, before a record is read."""


class BadRecord(StreamsError):
    """A record that cannot be read: its key, its value or its time."""


class Aborted(StreamsError):
    """The transaction did not happen; the same records can be processed again from the committed offsets."""


class Fenced(StreamsError):
    """Another process has taken this one's place: what it still holds must not be committed."""
