"""What a client hears when its records could not be written or read."""

from __future__ import annotations

from drave.model.errors import ErrorCode, ProtocolError


class StorageError(ProtocolError):
    """The disk refused, or holds something else than what was written. The client may try again."""

    code = ErrorCode.KAFKA_STORAGE_ERROR

    def __init__(self, where: str, why: str) -> None:
        super().__init__(where, why)
        self.where = where
        self.why = why

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"
