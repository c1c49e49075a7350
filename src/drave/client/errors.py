"""What a client can meet, one class for each thing that its caller may want to tell apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from drave.model.errors import DraveError

if TYPE_CHECKING:
    from confluent_kafka import KafkaError


class ClientError(DraveError):
    """The broker refused, or the request made no sense to it."""

    name: str = ""
    """The error's name in Kafka or librdkafka, where it came from there."""


class Unreachable(ClientError):
    """No broker answers."""


class NotListening(Unreachable):
    """Nobody takes a connection at any of the addresses, now."""


class NotFound(ClientError):
    """The topic, partition or group does not exist."""


class BadProperty(ClientError):
    """librdkafka does not know a client property, or not such a value for it."""


_NOT_FOUND: Final = {"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION", "GROUP_ID_NOT_FOUND"}
_UNREACHABLE: Final = {
    "_TRANSPORT",
    "_TIMED_OUT",
    "_MSG_TIMED_OUT",
    "_ALL_BROKERS_DOWN",
    "_RESOLVE",
    "_SSL",
    "_AUTHENTICATION",
    "REQUEST_TIMED_OUT",
}

COORDINATOR_IS_MOVING: Final = {"COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR"}
"""A group's coordinator that has just started says so for a moment; asking again is all it takes."""


def told(error: KafkaError, doing: str) -> ClientError:
    """What `error` means to somebody who was `doing` something ("create topic rides")."""
    name = error.name()
    kind = NotFound if name in _NOT_FOUND else Unreachable if name in _UNREACHABLE else ClientError
    refusal = kind(f"cannot {doing}: {_sentence(error)}")
    refusal.name = name
    return refusal


_REMEDIES: Final = {
    "Broker transport failure": "the connection was closed: is the broker still running? If it wants SASL, set "
    "security.protocol=sasl_plaintext (or sasl_ssl), sasl.mechanism, sasl.username and sasl.password",
    "SASL Handshake not supported": "this broker asks nobody to sign in: leave out security.protocol and sasl.*",
}
"""What librdkafka's words mean to somebody at a terminal, where they do not say it."""

_BROKER: Final = re.compile(r"^\S+://\S+: ")
_ROUTINES: Final = re.compile(r"error:[0-9A-F]+:SSL routines::")
_AFTER: Final = re.compile(r" \(after \d+ms in state \w+[^)]*\)$")


def _sentence(error: KafkaError) -> str:
    """librdkafka's words without its prefixes and codes, or the error's name where it has no words."""
    words = error.str()
    for told_so, meant in _REMEDIES.items():
        if told_so in words:
            return meant
    words = _AFTER.sub("", _ROUTINES.sub("", _BROKER.sub("", words)))
    for prefix in ("Broker: ", "Local: "):
        words = words.removeprefix(prefix)
    words = words.strip().rstrip(":. ") or error.name()
    if len(words) > 1 and words[0].isupper() and words[1].islower():
        words = words[0].lower() + words[1:]
    return words
