"""The settings as people see them."""

from __future__ import annotations

from drave.model.config import ConfigSource, ConfigType
from drave.model.dynamic_settings import NOTHING, SettingLayers
from drave.model.settings import BrokerSettings, setting_names
from drave.model.shown_settings import documentation, shown_settings

DYNAMIC, SHARED, STATIC, DEFAULT = (
    ConfigSource.DYNAMIC_BROKER_CONFIG,
    ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG,
    ConfigSource.STATIC_BROKER_CONFIG,
    ConfigSource.DEFAULT_CONFIG,
)


def rows(shared=NOTHING, own=NOTHING, **sets):
    named = {key.replace("__", "."): value for key, value in sets.items()}
    layers = SettingLayers.of(BrokerSettings.load(sets=named), shared, own)
    return {row.name: row for row in shown_settings(layers)}


def test_every_setting_is_shown_once_in_order_with_what_it_is_for():
    shown = shown_settings(SettingLayers.of(BrokerSettings()))
    names = [row.name for row in shown]
    assert names == sorted(set(names))
    assert all(row.source is DEFAULT and row.doc for row in shown)


def test_what_is_shown_can_be_set_again():
    for row in shown_settings(SettingLayers.of(BrokerSettings())):
        if row.value is not None and not row.name.endswith("replication.factor"):
            assert row.name in setting_names()
            assert BrokerSettings.load(sets={row.name: row.value}).data_folder is not None


def test_what_was_set_is_told_from_the_default():
    changed = rows(log__retention__hours="1", listeners="[::1]:0", auto__create__topics__enable="false")
    assert changed["log.retention.ms"].synonyms == (
        ("log.retention.ms", "3600000", STATIC),
        ("log.retention.hours", "168", DEFAULT),
    )
    assert (changed["listeners"].value, changed["listeners"].type) == ("PLAINTEXT://[::1]:0", ConfigType.LIST)
    assert changed["auto.create.topics.enable"].value == "false"
    assert changed["auto.create.topics.enable"].source is STATIC
    assert changed["num.partitions"].source is DEFAULT


def test_kafkas_hours_have_the_default_of_what_has_none_in_milliseconds():
    shown = rows()
    assert [shown[f"log.retention.{unit}"].value for unit in ("ms", "minutes", "hours")] == [None, None, "168"]
    assert [shown[f"log.retention.{unit}"].read_only for unit in ("ms", "minutes", "hours")] == [False, True, True]


def test_every_place_that_sets_a_value_is_told_the_one_that_counts_first():
    shown = rows({"max.connections": " 20 "}, {"max.connections": "10"}, max__connections="30")
    assert shown["max.connections"].synonyms == (
        ("max.connections", "10", DYNAMIC),
        ("max.connections", "20", SHARED),
        ("max.connections", "30", STATIC),
        ("max.connections", "10000", DEFAULT),
    )


def test_what_may_change_while_the_broker_runs_is_not_read_only():
    changing = {name for name, row in rows().items() if not row.read_only}
    assert {"max.connections", "producer.id.expiration.ms", "message.max.bytes", "log.retention.ms"} <= changing
    assert not {"num.partitions", "listeners", "log.retention.hours", "default.replication.factor"} & changing


def test_the_texts_are_the_docstrings_of_the_fields():
    assert documentation()["num_partitions"].startswith("Partitions of a topic whose creator does not say how many.")
