"""What can go wrong in a stream app, one class each."""

from __future__ import annotations

from pathlib import Path

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


class StepFailed(StreamsError):
    """The user's function, or a record that does not fit, ends the app. The cause is `__cause__`."""

    def __init__(self, step: str, where: str, error: Exception) -> None:
        super().__init__(step, where, error)
        self.step = step
        self.where = where
        self.error = error

    def __str__(self) -> str:
        return (
            f"the step {self.step} failed{self.where}: {type(self.error).__name__}: {self.error}; "
            'on_error="skip" or "dead-letter" would go on without the record'
        )


class ClusterTrouble(StreamsError):
    """The cluster refused something, or has not answered for too long."""


class StateInUse(StreamsError):
    """Another process has this state open."""

    def __init__(self, path: Path, holder: str = "") -> None:
        super().__init__(path, holder)
        self.path = path
        self.holder = holder

    def __str__(self) -> str:
        who = f" by {self.holder}" if self.holder else " by another process"
        return f"{self.path} is in use{who}; stop that one, or give this worker a state folder of its own"


class StateDamaged(StreamsError):
    """A state could not be read, and was put aside."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} is damaged and was put aside; start again, and the state is restored from its changelog"
