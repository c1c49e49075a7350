"""Settings that change while a broker runs: which they are, and what counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.model.config import InvalidConfig
from drave.model.dynamic_settings import SettingLayers, list_default, with_dynamic
from drave.model.settings import BrokerSettings, setting_names

NUMBERS = {"max.connections": (1, 1000), "producer.id.expiration.ms": (1, 1000), "log.retention.ms": (-1, 1000)}
LAYERS = st.fixed_dictionaries(
    {}, optional={name: st.integers(low, high).map(str) for name, (low, high) in NUMBERS.items()}
)


def acts(settings: BrokerSettings) -> dict[str, str]:
    """What the numbers are in the end, under the names of the settings."""
    return {
        "max.connections": str(settings.connections_max),
        "producer.id.expiration.ms": str(settings.storage.producer_id_expiration_ms),
        "log.retention.ms": settings.topic_defaults.get("retention.ms", "none"),
    }


@given(static=LAYERS, shared=LAYERS, own=LAYERS)
def test_this_broker_wins_over_all_brokers_and_they_over_what_it_was_started_with(static, shared, own):
    started = BrokerSettings.load(sets=static)
    settings = SettingLayers.of(started, shared, own).settings
    assert acts(settings) == {**acts(started), **shared, **own}


ANY_TEXT = "errors.deadletterqueue.topic.name.prefix"
CHECKED = sorted(name for name, place in setting_names().items() if place.dynamic == name != ANY_TEXT)


@pytest.mark.parametrize("name", CHECKED)
def test_what_may_change_refuses_what_is_no_value_by_the_name_that_was_given(name):
    with pytest.raises(InvalidConfig) as refused:
        with_dynamic(BrokerSettings(), {name: "never"})
    assert refused.value.key == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("num.partitions", "num.partitions = '3': cannot change while the broker runs; give it at its start"),
        ("connections_max", "connections_max = '3': cannot change while the broker runs; max.connections can"),
        ("log.retention.hours", "log.retention.hours = '3': cannot change while the broker runs; log.retention.ms can"),
        ("retention.ms", "retention.ms = '3': cannot change while the broker runs; log.retention.ms can"),
        (
            "default.replication.factor",
            "default.replication.factor = '3': cannot change while the broker runs; give it at its start",
        ),
        ("max.conections", "max.conections = '3': a broker has no such setting; did you mean max.connections?"),
        ("max.connections", "max.connections = '-1': must be at least 1"),
    ],
)
def test_what_may_not_change_is_told_what_can(name, why):
    with pytest.raises(InvalidConfig) as refused:
        with_dynamic(BrokerSettings(), {name: "-1" if name == "max.connections" else "3"})
    assert str(refused.value) == why


def test_what_can_no_longer_be_honoured_is_passed_over():
    """Set under durability = "fsync", met under "os": a broker starts all the same."""
    ignored = []
    layers = SettingLayers.of(
        BrokerSettings.load(sets={"durability": "os"}),
        {"log.flush.interval.ms": "5", "max.connections": "7"},
        {"of.a.newer.drave": "1"},
        ignored=ignored.append,
    )
    assert layers.settings.connections_max == 7
    assert (layers.shared, layers.own) == ({"max.connections": "7"}, {})
    assert [error.key for error in ignored] == ["log.flush.interval.ms", "of.a.newer.drave"]


def test_only_lists_have_the_default_of_a_list():
    assert [list_default(name) for name in ("log.cleanup.policy", "max.connections", "cleanup.policy", "no.such")] == [
        "delete",
        None,
        None,
        None,
    ]
