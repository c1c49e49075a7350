"""What a client hears when its records could not be written or read."""

from __future__ import annotations

from drave.model.errors import StorageFailure


class StorageError(StorageFailure):
    """The disk refused, or holds something else than what was written. The client may try again."""
