"""What a topic may be called.

Kafka's rules: 1 to 249 of the letters a-z and A-Z, digits, `.`, `_` and `-`, and neither `.` nor `..`, because a name
is also a folder's. And since names of metrics turn `.` into `_`, two topics may not differ in only that.
"""

from __future__ import annotations

import re
from typing import Final

from drave.model.errors import ErrorCode, ProtocolError

NAME_LENGTH_MAX: Final = 249
_LEGAL: Final = re.compile(r"[a-zA-Z0-9._-]+")

CONSUMER_OFFSETS: Final = "__consumer_offsets"
TRANSACTION_STATE: Final = "__transaction_state"
SHARE_GROUP_STATE: Final = "__share_group_state"

INTERNAL_TOPICS: Final = frozenset({CONSUMER_OFFSETS, TRANSACTION_STATE, SHARE_GROUP_STATE})
"""The topics that a broker keeps for itself; metadata marks them, and clients' patterns pass them over."""


class InvalidTopic(ProtocolError):
    """A name that no topic can have, or not beside the topics that are there."""

    code = ErrorCode.INVALID_TOPIC_EXCEPTION

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name = name
        self.why = why

    def __str__(self) -> str:
        shown = self.name if len(self.name) <= NAME_LENGTH_MAX else self.name[:20] + "…"
        return f"{shown!r} cannot be a topic's name: {self.why}"


def check_topic_name(name: str) -> None:
    """Raises InvalidTopic when no topic can have this name."""
    if not name:
        raise InvalidTopic(name, "it is empty")
    if name in (".", ".."):
        raise InvalidTopic(name, "it would be a folder that is there already")
    if len(name) > NAME_LENGTH_MAX:
        raise InvalidTopic(name, f"it has {len(name)} characters, and {NAME_LENGTH_MAX} are the most")
    if not _LEGAL.fullmatch(name):
        raise InvalidTopic(name, "it may hold ASCII letters, digits, '.', '_' and '-' only")


def collision_key(name: str) -> str:
    """The same for two names that may not exist side by side."""
    return name.replace(".", "_")
