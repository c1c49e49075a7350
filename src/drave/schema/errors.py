"""What can go wrong between bytes and messages."""

from __future__ import annotations

from drave.model.errors import DraveError


class SchemaError(DraveError):
    """Bytes that are not the message they should be, or a message that its version cannot carry."""

    def __init__(self, message: str, version: int, reason: str) -> None:
        super().__init__(f"{message} version {version}: {reason}")
        self.message = message
        self.version = version
        self.reason = reason


class UndeclaredVersion(SchemaError):
    """A version outside the range that the message declares."""

    def __init__(self, message: str, version: int, declared: tuple[int, int]) -> None:
        super().__init__(message, version, f"only {declared[0]} to {declared[1]} are declared")
