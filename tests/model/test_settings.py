"""The broker's settings: where they come from, which one wins, and what a mistake is told."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import pickle
import re
from pathlib import Path

import pytest

from drave.model.setting import AddressLimit, as_text
from drave.model.settings import (
    Address,
    BrokerSettings,
    InvalidConfig,
    StorageSettings,
    parse_address,
    parse_addresses,
    setting_names,
)


def test_the_defaults_listen_on_loopback_only_and_let_a_first_rebalance_go_at_once():
    settings = BrokerSettings()
    assert settings.listen == (("127.0.0.1", 9092), ("::1", 9092))
    assert settings.advertise is None
    assert settings.group_initial_rebalance_delay_ms == 0
    assert settings.storage == StorageSettings()


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path):
    file = tmp_path / "drave.toml"
    file.write_text("node_id = 1\nnum_partitions = 1\nfetch_bytes_max = 100_000\n")
    environ = {"DRAVE_NODE_ID": "2", "DRAVE_NUM_PARTITIONS": "2", "HOME": "/nowhere"}
    settings = BrokerSettings.load(file, {"node_id": "3"}, environ)
    assert (settings.node_id, settings.num_partitions, settings.fetch_bytes_max) == (3, 2, 100_000)
    assert BrokerSettings.load(file, {"node_id": "3"}, environ, node_id=4).node_id == 4


def test_an_option_that_was_not_given_hides_nothing():
    assert BrokerSettings.load(sets={"node_id": "3"}, node_id=None, listen=None).node_id == 3


def test_kafkas_names_mean_the_same_as_ours_everywhere(tmp_path):
    file = tmp_path / "drave.toml"
    file.write_text('socket.request.max.bytes = 5_000\n"max.connections" = 7\n[offsets]\ntopic.num.partitions = 3\n')
    settings = BrokerSettings.load(file, {"auto.create.topics.enable": "false"}, {"DRAVE_NUM_PARTITIONS": "9"})
    assert settings.request_bytes_max == 5_000
    assert settings.connections_max == 7
    assert settings.offsets_topic_partitions == 3
    assert settings.auto_create_topics is False
    assert settings.num_partitions == 9


def test_toml_values_may_be_booleans_numbers_text_and_lists(tmp_path):
    file = tmp_path / "drave.toml"
    file.write_text('auto_create_topics = false\nlisten = ["127.0.0.1:1", "[::1]:2"]\ndata_folder = "x"\n')
    settings = BrokerSettings.load(file)
    assert settings.auto_create_topics is False
    assert settings.listen == (Address("127.0.0.1", 1), Address("::1", 2))
    assert settings.data_folder == Path("x")


def test_some_addresses_may_have_a_number_of_connections_of_their_own():
    name = "max.connections.per.ip.overrides"
    settings = BrokerSettings.load(sets={name: " 192.0.2.7:100,::1:5 "})
    assert settings.connections_per_ip_overrides == (AddressLimit("192.0.2.7", 100), AddressLimit("::1", 5))
    assert as_text(settings.connections_per_ip_overrides) == "192.0.2.7:100,::1:5"
    assert BrokerSettings.load(sets={name: ""}).connections_per_ip_overrides == ()


@pytest.mark.parametrize("text", ["localhost:5", "192.0.2.7", "192.0.2.7:", "192.0.2.7:-1", ":5", "::1:9999999999"])
def test_what_is_no_address_with_a_number_is_named(text):
    with pytest.raises(InvalidConfig, match=r"max\.connections\.per\.ip\.overrides"):
        BrokerSettings.load(sets={"max.connections.per.ip.overrides": text})


def test_the_storages_settings_are_found_by_the_same_names():
    assert BrokerSettings.load(sets={"durability": "os"}).storage.durability == "os"
    with pytest.raises(InvalidConfig, match="durability"):
        BrokerSettings.load(sets={"durability": "perhaps"})


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ({"log.retention.hours": "1"}, "3600000"),
        ({"log.retention.minutes": "3", "log.retention.hours": "1"}, "180000"),
        ({"log.retention.hours": "1", "log.retention.ms": "5"}, "5"),
        ({"log.retention.hours": "-1"}, "-1"),
        ({"retention.ms": "7"}, "7"),
    ],
)
def test_defaults_for_topics_are_given_in_any_of_their_spellings_the_finest_winning(sets, expected):
    assert BrokerSettings.load(sets=sets).topic_defaults == {"retention.ms": expected}


def test_a_coarse_spelling_on_the_command_line_wins_over_a_fine_one_in_the_environment():
    settings = BrokerSettings.load(sets={"log.retention.hours": "1"}, environ={"DRAVE_LOG_RETENTION_MS": "5"})
    assert settings.topic_defaults == {"retention.ms": "3600000"}


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"log.retention.huors": "1"}, "did you mean log.retention.hours?"),
        ({"node_id": "x"}, "node_id = 'x': must be a whole number"),
        ({"node_id": "-1"}, "must be at least 0"),
        ({"message.max.bytes": "-1"}, "message.max.bytes = '-1': must be at least 0"),
        ({"offsets.topic.replication.factor": "3"}, "must be 1"),
        ({"advertised.listeners": ":9092"}, "clients need"),
        ({"group.min.session.timeout.ms": "9", "group.max.session.timeout.ms": "8"}, "is above"),
        ({"flush.messages": "1", "durability": "os"}, "durability"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(sets, message):
    with pytest.raises(InvalidConfig, match=re.escape(message)):
        BrokerSettings.load(sets=sets)


def test_a_mistake_in_the_environment_names_the_variable():
    with pytest.raises(InvalidConfig, match=r"DRAVE_NODEID.*did you mean DRAVE_NODE_ID"):
        BrokerSettings.load(environ={"DRAVE_NODEID": "1"})
    BrokerSettings.load(environ={"DRAVE_CONFIG": "somewhere", "DRAVE_BOOTSTRAP": "localhost:9092"})


@pytest.mark.parametrize(("content", "message"), [("a = ", "not valid TOML"), (None, "No such file")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, message):
    file = tmp_path / "drave.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InvalidConfig, match=message):
        BrokerSettings.load(file)


def test_what_single_kafka_brokers_are_commonly_told_is_accepted():
    assert BrokerSettings.load(sets={"offsets.topic.replication.factor": "1"}) == BrokerSettings()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9092", ("127.0.0.1", 9092)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:9092", ("::1", 9092)),
        (":9092", ("", 9092)),
        (" PLAINTEXT://kafka.example:19092 ", ("kafka.example", 19092)),
        ("PLAINTEXT://:9092", ("", 9092)),
    ],
)
def test_an_address_is_host_and_port(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "localhost", "9092", "::1:9092", "a:65536", "a:-1", "a:٣", "SSL://a:1", "a:"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InvalidConfig):
        parse_address(text)


def test_an_address_is_written_as_it_is_read():
    for address in parse_addresses("127.0.0.1:9092,[::1]:0"):
        assert parse_address(str(address)) == address


@pytest.mark.parametrize("owner", [BrokerSettings, StorageSettings])
def test_every_setting_has_a_docstring_that_gives_kafkas_names(owner):
    parts = [part for part in owner.__mro__ if dataclasses.is_dataclass(part)]
    body = [each for part in parts for each in ast.parse(inspect.getsource(part)).body[0].body]
    documented = {
        field.target.id: doc.value.value
        for field, doc in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(doc, ast.Expr)
    }
    for field in dataclasses.fields(owner):
        for name in field.metadata.get("kafka", ()):
            assert f"`{name}`" in documented[field.name]
        assert documented[field.name]


def test_every_name_leads_to_one_setting_and_no_variable_is_ambiguous():
    variables = [name.replace(".", "_").upper() for name in setting_names()]
    places = {}
    for variable, place in zip(variables, setting_names().values(), strict=True):
        assert places.setdefault(variable, place) == place


def test_settings_can_be_sent_to_another_process():
    settings = BrokerSettings.load(sets={"retention.ms": "7"})
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_a_list_of_folders_as_kafka_has_them_is_refused_and_not_taken_for_a_name() -> None:
    with pytest.raises(InvalidConfig, match="more than one folder"):
        BrokerSettings.load(None, {"log.dirs": "/disk1/kafka,/disk2/kafka"}, {})
