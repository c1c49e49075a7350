"""What a group is set to: its own value within the broker's bounds, else the broker's, else the default."""

from __future__ import annotations

import pytest

from drave.model.config import InvalidConfig
from drave.model.group_configs import GROUP_CONFIGS, GroupConfig, check_group_configs
from drave.model.settings import BrokerSettings, setting_names

SESSION = "consumer.session.timeout.ms"
INTERVAL = "consumer.heartbeat.interval.ms"


@pytest.mark.parametrize("key", GROUP_CONFIGS.values(), ids=lambda key: key.name)
def test_the_broker_knows_every_setting_that_a_config_of_groups_names(key) -> None:
    for name in (key.broker_name, key.low, key.high):
        assert name is None or name in setting_names()


@pytest.mark.parametrize("key", GROUP_CONFIGS.values(), ids=lambda key: key.name)
def test_the_default_of_a_config_is_that_of_the_brokers_setting(key) -> None:
    value = GroupConfig({}, BrokerSettings())._values[key.name]
    assert value == key.parse(key.default)


def test_a_group_without_a_value_of_its_own_follows_the_broker() -> None:
    settings = BrokerSettings(group_consumer_session_timeout_ms=50_000)
    assert GroupConfig({}, settings).number(SESSION) == 50_000
    assert GroupConfig({SESSION: "46000"}, settings).number(SESSION) == 46_000


def test_bounds_that_have_moved_since_it_was_set_hold() -> None:
    assert GroupConfig({SESSION: "50000"}, BrokerSettings(group_consumer_session_timeout_ms_max=48_000)).number(
        SESSION
    ) == (48_000)


@pytest.mark.parametrize(
    ("configs", "why"),
    [
        ({SESSION: "44999"}, "group.consumer.min.session.timeout.ms = 45000"),
        ({SESSION: "60001"}, "group.consumer.max.session.timeout.ms = 60000"),
        ({SESSION: "soon"}, "whole number"),
        ({"consumer.session.timeout": "50000"}, "did you mean consumer.session.timeout.ms"),
    ],
)
def test_what_cannot_be_is_refused_with_the_bound(configs, why) -> None:
    with pytest.raises(InvalidConfig, match=why):
        check_group_configs(configs, BrokerSettings())


def test_who_must_speak_every_minute_is_not_missed_after_half_of_one() -> None:
    settings = BrokerSettings(group_consumer_session_timeout_ms_min=1_000)
    with pytest.raises(InvalidConfig, match="must be greater than consumer"):
        check_group_configs({SESSION: "15000", INTERVAL: "15000"}, settings)
