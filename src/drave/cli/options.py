"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from drave.client.connection import DEFAULT_BOOTSTRAP, Connection
from drave.client.times import parse_time_ms

F = TypeVar("F", bound=Callable[..., Any])

_PORT_MAX: Final = 65535
AS_FAST_AS_IT_CAN: Final = float("inf")
"""The speed that `max` means."""


class KeyValue(click.ParamType[tuple[str, str]]):
    """`key=value`; the value may be empty and may hold further equal signs."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        key, equals, rest = value.partition("=")
        if not equals or not key.strip():
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        return key.strip(), rest


class Time(click.ParamType[int]):
    """A moment, as milliseconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_time_ms(value, now_ms=time.time_ns() // 1_000_000)
        except ValueError as error:
            self.fail(f"{error}, or how long ago: 90s, 15m, 2h, 3d", param, ctx)


class TopicPart(click.ParamType[tuple[str, int | None]]):
    """`TOPIC`, or `TOPIC:PARTITION` (no topic's name has a colon)."""

    name = "topic[:partition]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int | None]:
        if isinstance(value, tuple):
            return value
        topic, colon, partition = value.partition(":")
        if colon and not (partition.isascii() and partition.isdigit()):
            self.fail(f"{partition!r} is not a partition: they are numbers from 0", param, ctx)
        return topic, int(partition) if colon else None


class Speed(click.ParamType[float]):
    """A positive number, or `max`, which is infinite."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            speed = AS_FAST_AS_IT_CAN if value == "max" else float(value)
        except ValueError:
            speed = 0.0
        if not speed > 0:  # NaN neither
            self.fail(f"{value!r} is neither a positive number nor max", param, ctx)
        return speed


class ListenAddress(click.ParamType[tuple[str, int]]):
    """`PORT` on this machine only, or `HOST:PORT`."""

    name = "[host:]port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = value.rpartition(":")
        if not (port.isascii() and port.isdigit() and int(port) <= _PORT_MAX):
            self.fail(f"{port!r} is no port; write PORT or HOST:PORT", param, ctx)
        return host.strip("[]") or "127.0.0.1", int(port)


KEY_VALUE: Final = KeyValue()
ADDRESS: Final = ListenAddress()
TIME: Final = Time()
TOPIC_PART: Final = TopicPart()
SPEED: Final = Speed()


def topic_configs_option(explained: str) -> Callable[[F], F]:
    """`--config KEY=VALUE`, repeatable, as `configs`."""
    return click.option(
        "--config", "configs", metavar="KEY=VALUE", type=KEY_VALUE, multiple=True, help=f"{explained}; repeatable."
    )


def connection_options(command: F) -> F:
    """`--bootstrap` and `--set`, which reach the command as one `connection`."""

    @click.option(
        "--bootstrap",
        metavar="HOST:PORT",
        default=DEFAULT_BOOTSTRAP,
        envvar="DRAVE_BOOTSTRAP",
        show_default=True,
        show_envvar=True,
        help="A broker of the cluster; several with commas.",
    )
    @click.option(
        "--set",
        "properties",
        metavar="KEY=VALUE",
        type=KEY_VALUE,
        multiple=True,
        help="A client property of librdkafka, such as compression.type=zstd or sasl.username=me; repeatable.",
    )
    @functools.wraps(command)
    def with_connection(*args: Any, bootstrap: str, properties: tuple[tuple[str, str], ...], **kwargs: Any) -> Any:
        connection = Connection(bootstrap=bootstrap, properties=dict(properties))
        return command(*args, connection=connection, **kwargs)

    return with_connection  # type: ignore[return-value]  # the same command, with other options


json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
