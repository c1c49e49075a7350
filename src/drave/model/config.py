"""What a config is: a name, a type, a default, a check, and a sentence about it.

    text ──strip──▶ parse by type ──▶ check ──▶ value
                        └── InvalidConfig(key, text, why) ──┘

Configs travel and are kept as text, exactly as somebody wrote it, because that is how Kafka shows them; they are parsed
once, where they take effect. What Kafka accepts is accepted here, except what this version could not honour.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from drave.model.errors import ErrorCode, ProtocolError

ConfigValue: TypeAlias = bool | int | float | str | tuple[str, ...]
Check: TypeAlias = Callable[[ConfigValue], str | None]
"""Looks at a parsed value and returns what is wrong with it, or None."""

INT_MAX: Final = 2**31 - 1
LONG_MAX: Final = 2**63 - 1


class InvalidConfig(ProtocolError):
    """A config or setting that does not exist, or a value that it cannot have."""

    code = ErrorCode.INVALID_CONFIG

    def __init__(self, key: str, value: str | None, why: str) -> None:
        super().__init__(key, value, why)
        self.key = key
        self.value = value
        self.why = why

    def __str__(self) -> str:
        return f"{self.key}: {self.why}" if self.value is None else f"{self.key} = {self.value!r}: {self.why}"


class ConfigType(enum.IntEnum):
    """How a value is written; the numbers are DescribeConfigs'."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7


class ConfigSource(enum.IntEnum):
    """Where the value of a config comes from, the strongest first; the numbers are DescribeConfigs'."""

    DYNAMIC_TOPIC_CONFIG = 1
    DYNAMIC_BROKER_CONFIG = 2
    DYNAMIC_DEFAULT_BROKER_CONFIG = 3
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5
    DYNAMIC_BROKER_LOGGER_CONFIG = 6
    GROUP_CONFIG = 8


class ConfigSynonym(NamedTuple):
    """One of the places that could give a config its value."""

    name: str
    value: str | None
    source: ConfigSource


WHOLE_NUMBERS: Final = {ConfigType.SHORT: 2**15, ConfigType.INT: 2**31, ConfigType.LONG: 2**63}
"""The types of whole numbers, and the first number too large for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigKey:
    """One config of a topic."""

    name: str
    type: ConfigType
    default: str
    doc: str
    check: Check | None = None
    broker_name: str | None = None
    """The broker setting that gives this config's default, where Kafka has one."""
    broker_units: tuple[tuple[str, int], ...] = ()
    """Other spellings of `broker_name`, the weaker last, each with what multiplies it: `log.retention.hours`. Where
    there are any, `broker_name` itself has no default in Kafka, and is not shown as one."""
    hidden: bool = False
    """Accepted, but shown only where somebody has set it."""

    @property
    def field(self) -> str:
        """The name as a Python attribute."""
        return self.name.removeprefix("drave.").replace(".", "_")

    def parse(self, text: str) -> ConfigValue:
        """The value that `text` means. Raises InvalidConfig."""
        value = parse(self.name, self.type, text)
        problem = self.check(value) if self.check is not None else None
        if problem is not None:
            raise InvalidConfig(self.name, text, problem)
        return value

    def normal(self, text: str) -> str:
        """`text` as Kafka shows it back: without spaces, numbers and booleans in plain form. Raises InvalidConfig."""
        value = self.parse(text)
        if isinstance(value, bool):
            return "true" if value else "false"
        return ",".join(value) if isinstance(value, tuple) else str(value)


def parse(key: str, type_: ConfigType, text: str) -> ConfigValue:
    """Read `text` as Kafka would: spaces around it do not count, nor does the case of true and false."""
    bare = text.strip()
    if type_ is ConfigType.BOOLEAN:
        if bare.lower() not in ("true", "false"):
            raise InvalidConfig(key, text, "must be true or false")
        return bare.lower() == "true"
    if type_ in WHOLE_NUMBERS:
        return _whole_number(key, type_, text, bare)
    if type_ is ConfigType.DOUBLE:
        return _fraction(key, text, bare)
    if type_ is ConfigType.LIST:
        items = tuple(dict.fromkeys(item.strip() for item in bare.split(","))) if bare else ()
        if "" in items:
            raise InvalidConfig(key, text, "has an empty item between its commas")
        return items
    return bare


def _whole_number(key: str, type_: ConfigType, text: str, bare: str) -> int:
    bound = WHOLE_NUMBERS[type_]
    try:
        # The length first: int() takes its time over a megabyte of digits. Underscores are Python's, not Kafka's.
        number = int(bare) if len(bare) <= 32 and "_" not in bare else None
    except ValueError:
        number = None
    if number is None:
        raise InvalidConfig(key, text, "must be a whole number")
    if not -bound <= number < bound:
        raise InvalidConfig(key, text, f"must be a whole number from {-bound} to {bound - 1}")
    return number


def _fraction(key: str, text: str, bare: str) -> float:
    try:
        number = float(bare.rstrip("fFdD")) if "_" not in bare else None  # Java's literals may end in f or d
    except ValueError:
        number = None
    if number is None or number != number:  # NaN passes every comparison that a check could make
        raise InvalidConfig(key, text, "must be a number")
    return number


def between(low: float, high: float | None = None, *, or_: int | None = None) -> Check:
    """A number from `low` to `high`, both included, or the one special value `or_`."""

    def check(value: ConfigValue) -> str | None:
        assert isinstance(value, int | float)
        if or_ is not None and value == or_:
            return None
        if value < low:
            return f"must be at least {low}" + (f", or {or_}" if or_ is not None else "")
        if high is not None and value > high:
            return f"must be at most {high}" + (f", or {or_}" if or_ is not None else "")
        return None

    return check


def one_of(*choices: str) -> Check:
    """Exactly one of these words."""
    return lambda value: None if value in choices else f"must be one of {', '.join(choices)}"


def some_of(*choices: str) -> Check:
    """A list, perhaps empty, of these words."""

    def check(value: ConfigValue) -> str | None:
        assert isinstance(value, tuple)
        strangers = [item for item in value if item not in choices]
        return f"{strangers[0]!r} is not one of {', '.join(choices)}" if strangers else None

    return check


def only(served: ConfigValue, why: str) -> Check:
    """The one value that this version can honour; any other is refused with the reason."""
    return lambda value: None if value == served else why
