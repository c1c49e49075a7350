"""The broker's loggers, and how much each of them says (KIP-412): Kafka's names for Python's levels.

    FATAL  ERROR  WARN  INFO  DEBUG  TRACE        what is said from the left up to the level

A level lasts as long as the process. A logger without one of its own says as much as the one above it, up to Python's
root logger, which is not the broker's to change: it may run inside somebody else's program.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from drave.model.config import InvalidConfig

LEVELS: Final[Mapping[str, int]] = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}

TOP: Final = "drave"


def levels() -> dict[str, str]:
    """What each logger's level is, its own or an inherited one, in the order of their names."""
    names = [TOP, *(name for name in logging.root.manager.loggerDict if name.startswith(TOP + "."))]
    return {name: _level_name(logging.getLogger(name).getEffectiveLevel()) for name in sorted(names)}


def check_logger(name: str) -> None:
    """Raises InvalidConfig when there is none of this name."""
    if name not in levels():
        raise InvalidConfig(name, None, "there is no such logger")


def check_level(name: str, level: str) -> None:
    """Raises InvalidConfig for what is no level."""
    if level not in LEVELS:
        raise InvalidConfig(name, level, f"must be one of {', '.join(LEVELS)}")


def set_level(name: str, level: str | None) -> None:
    """Give a logger a level of its own, or (None) the one of those above it again."""
    logging.getLogger(name).setLevel(logging.NOTSET if level is None else LEVELS[level])


def _level_name(level: int) -> str:
    """The level that lets the same through, of those that have a name."""
    return next((name for name, number in LEVELS.items() if level <= number), "FATAL")
