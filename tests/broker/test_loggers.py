"""The broker's loggers under Kafka's names for levels."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from drave.broker import loggers
from drave.model.config import InvalidConfig


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """One logger of the broker, as it was afterwards."""
    logger = logging.getLogger("drave.log")
    level = logger.level
    yield logger
    logger.setLevel(level)


@pytest.mark.parametrize("name", loggers.LEVELS)
def test_a_level_that_was_set_is_told_again(logger, name):
    loggers.set_level("drave.log", name)
    assert loggers.levels()["drave.log"] == name


@pytest.mark.parametrize(("level", "name"), [(1, "TRACE"), (25, "WARN"), (60, "FATAL")])
def test_a_level_without_a_name_is_told_as_the_next_that_lets_no_more_through(logger, level, name):
    logger.setLevel(level)
    assert loggers.levels()["drave.log"] == name


def test_a_logger_without_a_level_says_as_much_as_the_one_above_it(logger):
    loggers.set_level("drave.log", None)
    assert loggers.levels()["drave.log"] == loggers.levels()["drave"]


def test_only_the_brokers_own_loggers_are_told():
    assert all(name == "drave" or name.startswith("drave.") for name in loggers.levels())
    with pytest.raises(InvalidConfig):
        loggers.check_logger("asyncio")
