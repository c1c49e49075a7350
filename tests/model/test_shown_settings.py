"""The settings as people see them."""

from __future__ import annotations

from drave.model.config import ConfigType
from drave.model.settings import BrokerSettings, setting_names
from drave.model.shown_settings import documentation, shown_settings


def rows(**sets):
    named = {key.replace("__", "."): value for key, value in sets.items()}
    return {row.name: row for row in shown_settings(BrokerSettings.load(sets=named))}


def test_every_setting_is_shown_once_in_order_with_what_it_is_for():
    shown = shown_settings(BrokerSettings())
    names = [row.name for row in shown]
    assert names == sorted(set(names))
    assert all(row.is_default and row.doc for row in shown)


def test_what_is_shown_can_be_set_again():
    for row in shown_settings(BrokerSettings()):
        if row.value is not None and not row.name.endswith("replication.factor"):
            assert row.name in setting_names()
            assert BrokerSettings.load(sets={row.name: row.value}).data_folder is not None


def test_what_was_set_is_told_from_the_default():
    changed = rows(log__retention__hours="1", listeners="[::1]:0", auto__create__topics__enable="false")
    assert (changed["log.retention.ms"].value, changed["log.retention.ms"].default) == ("3600000", "604800000")
    assert (changed["listeners"].value, changed["listeners"].type) == ("PLAINTEXT://[::1]:0", ConfigType.LIST)
    assert changed["auto.create.topics.enable"].value == "false"
    assert not changed["auto.create.topics.enable"].is_default
    assert changed["num.partitions"].is_default


def test_the_texts_are_the_docstrings_of_the_fields():
    assert documentation()["num_partitions"].startswith("Partitions of a topic whose creator does not say how many.")
