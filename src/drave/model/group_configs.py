"""What a group can be set to (KIP-848, 932, 1071): each kind's configs, in one table.

    set on the group ──▶ within the broker's bounds now ──▶ else what the broker says to all groups ──▶ else the default

A config of a group has a broker setting that gives its default, and often two that bound it:
`consumer.session.timeout.ms` lies between `group.consumer.min.session.timeout.ms` and
`group.consumer.max.session.timeout.ms`. Where the bounds have moved since it was set, the nearest one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from drave.model.config import ConfigKey, ConfigType, ConfigValue, InvalidConfig, between, one_of
from drave.model.setting import as_text, nearest
from drave.model.settings import BrokerSettings, setting_names
from drave.model.share_reset import check_share_reset
from drave.model.topic_configs import topic_or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfigKey(ConfigKey):
    """One config of a group. `broker_name` is the setting that gives its default."""

    low: str | None = None
    """The broker setting that it must not be below."""
    high: str | None = None
    """The broker setting that it must not be above."""


def _milliseconds(kind: str, name: str, default: int, doc: str, *, low: int = 1) -> GroupConfigKey:
    """A time that a broker bounds."""
    return GroupConfigKey(
        name=f"{kind}.{name}",
        type=ConfigType.INT,
        default=str(default),
        doc=doc,
        check=between(low),
        broker_name=f"group.{kind}.{name}",
        low=f"group.{kind}.min.{name}",
        high=f"group.{kind}.max.{name}",
    )


def _membership(kind: str) -> tuple[GroupConfigKey, ...]:
    """What members of each new kind of group are held to."""
    return (
        _milliseconds(kind, "session.timeout.ms", 45_000, "How long a member may be silent before it is missed."),
        _milliseconds(kind, "heartbeat.interval.ms", 5_000, "How often members are asked to send heartbeats."),
        _milliseconds(
            kind, "assignment.interval.ms", 1_000, "The least time between two assignments of the group.", low=0
        ),
    )


_CONSUMER: Final = _membership("consumer")

_STREAMS: Final = (
    *_membership("streams"),
    GroupConfigKey(
        name="streams.num.standby.replicas",
        type=ConfigType.INT,
        default="0",
        doc="How many copies of its state are kept beside each task's own, on other processes.",
        check=between(0),
        broker_name="group.streams.num.standby.replicas",
        high="group.streams.max.standby.replicas",
    ),
    GroupConfigKey(
        name="streams.initial.rebalance.delay.ms",
        type=ConfigType.INT,
        default="0",
        doc="How long an empty group waits for more members before its first assignment.",
        check=between(0),
        broker_name="group.streams.initial.rebalance.delay.ms",
    ),
)

_SHARE_MEMBERS: Final = _membership("share")

_SHARE_DELIVERY: Final = (
    _milliseconds(
        "share", "record.lock.duration.ms", 30_000, "How long a member may keep a record without a word.", low=1_000
    ),
    GroupConfigKey(
        name="share.delivery.count.limit",
        type=ConfigType.INT,
        default="5",
        doc="How often a record is delivered before it is given up.",
        check=between(2),
        broker_name="group.share.delivery.count.limit",
        low="group.share.min.delivery.count.limit",
        high="group.share.max.delivery.count.limit",
    ),
    GroupConfigKey(
        name="share.partition.max.record.locks",
        type=ConfigType.INT,
        default="2000",
        doc="Records of one partition that may be on their way to members.",
        check=between(100),
        broker_name="group.share.partition.max.record.locks",
        low="group.share.min.partition.max.record.locks",
        high="group.share.max.partition.max.record.locks",
    ),
    GroupConfigKey(
        name="share.auto.offset.reset",
        type=ConfigType.STRING,
        default="latest",
        doc="Where a group begins in a partition: earliest, latest, or by_duration:P7D for records of the last 7 days.",
        check=check_share_reset,
    ),
    GroupConfigKey(
        name="share.isolation.level",
        type=ConfigType.STRING,
        default="read_uncommitted",
        doc="Whether records of transactions that were aborted, or are still open, are delivered.",
        check=one_of("read_committed", "read_uncommitted"),
    ),
    GroupConfigKey(
        name="share.renew.acknowledge.enable",
        type=ConfigType.BOOLEAN,
        default="true",
        doc="Whether a member may renew its lock on a record (KIP-1222).",
    ),
)

_DEAD_LETTERS: Final = (
    GroupConfigKey(
        name="errors.deadletterqueue.topic.name",
        type=ConfigType.STRING,
        default="",
        doc="Where the dead letters of a share group go (KIP-1191): a word on each record that it gives up. The topic "
        "is made if it is missing; one that is there has to have errors.deadletterqueue.group.enable=true. Empty: "
        "where the record's topic says (drave.dead.letter.topic).",
        check=topic_or_none,
    ),
    GroupConfigKey(
        name="errors.deadletterqueue.copy.record.enable",
        type=ConfigType.BOOLEAN,
        default="false",
        doc="Whether a dead letter holds the record too, and not only where it is and why it was given up.",
    ),
)

GROUP_CONFIGS: Final[Mapping[str, GroupConfigKey]] = {
    key.name: key for key in (*_CONSUMER, *_SHARE_MEMBERS, *_SHARE_DELIVERY, *_DEAD_LETTERS, *_STREAMS)
}
"""By name. Each kind of group adds its own."""

_ABOVE: Final[Mapping[str, str]] = {
    f"{kind}.session.timeout.ms": f"{kind}.heartbeat.interval.ms" for kind in ("consumer", "share", "streams")
}
"""Which config must be greater than which: who has to say something every minute cannot be missed after half of one."""


class GroupConfig:
    """The effective configs of one group, under Kafka's names."""

    __slots__ = ("_values",)

    def __init__(self, overrides: Mapping[str, str], settings: BrokerSettings) -> None:
        self._values = {name: _effective(key, overrides, settings) for name, key in GROUP_CONFIGS.items()}

    def number(self, name: str) -> int:
        """A config that is a number, or a flag."""
        value = self._values[name]
        assert isinstance(value, int), name
        return value

    def text(self, name: str) -> str:
        """A config that is a word."""
        value = self._values[name]
        assert isinstance(value, str), name
        return value


def _effective(key: GroupConfigKey, overrides: Mapping[str, str], settings: BrokerSettings) -> ConfigValue:
    if key.name not in overrides:
        value: ConfigValue = key.parse(key.default) if key.broker_name is None else _setting(key.broker_name, settings)
        return value
    value = key.parse(overrides[key.name])
    if isinstance(value, int):
        if key.low is not None:
            value = max(value, _setting(key.low, settings))
        if key.high is not None:
            value = min(value, _setting(key.high, settings))
    return value


def _setting(name: str, settings: BrokerSettings) -> Any:
    return getattr(settings, setting_names()[name].field)


def broker_text(key: GroupConfigKey, settings: BrokerSettings) -> str:
    """What the broker says to groups that have no value of their own, as text."""
    if key.broker_name is None:
        return key.default
    return as_text(_setting(key.broker_name, settings)) or ""


def check_group_configs(overrides: Mapping[str, str], settings: BrokerSettings) -> None:
    """Refuse what a group cannot be set to on a broker of these settings. Raises InvalidConfig."""
    for name, text in overrides.items():
        key = GROUP_CONFIGS.get(name)
        if key is None:
            raise InvalidConfig(name, text, "a group has no such config" + nearest(name, GROUP_CONFIGS))
        value = key.parse(text)
        for bound, is_low in ((key.low, True), (key.high, False)):
            if bound is None:
                continue
            limit = _setting(bound, settings)
            if value < limit if is_low else value > limit:
                raise InvalidConfig(name, text, f"must be at {'least' if is_low else 'most'} {bound} = {limit}")
    config = GroupConfig(overrides, settings)
    for greater, smaller in _ABOVE.items():
        if (greater in overrides or smaller in overrides) and config.number(greater) <= config.number(smaller):
            raise InvalidConfig(
                greater, str(config.number(greater)), f"must be greater than {smaller} = {config.number(smaller)}"
            )
