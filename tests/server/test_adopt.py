"""Taking in folders that the catalog does not know: what it needs, what it refuses, and what it leaves behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from drave.adopt import CannotAdopt, adopt
from drave.catalog import CONSUMER_OFFSETS, TopicAlreadyExists
from drave.log import Logs
from drave.model.config import InvalidConfig
from drave.model.errors import ErrorCode
from drave.model.settings import BrokerSettings
from drave.store.disk import DataFolderInUse
from drave.testing import Broker
from tests.clients.adapters import ConfluentKafka, Send
from tests.net.raw import Connection, good_batch

RECORDS = 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with the topic `rides`, whose catalog is lost."""
    with Broker(tmp_path) as running, Connection(running.port) as client:
        assert client.create("rides") == ErrorCode.NONE
        for number in range(RECORDS):
            assert client.produce("rides", good_batch(b"%d" % number)) == (ErrorCode.NONE, number)
    for part in tmp_path.glob("catalog.sqlite*"):
        part.unlink()
    return tmp_path


def settings(data: Path) -> BrokerSettings:
    return BrokerSettings(data_folder=data)


async def test_a_topic_whose_catalog_is_lost_is_there_again_with_its_records(data: Path) -> None:
    adopted = await adopt(settings(data), "rides")
    assert (adopted.topic.name, adopted.topic.partitions, adopted.records) == ("rides", 1, RECORDS)
    with Broker(data) as running, Connection(running.port) as client:
        assert client.end("rides") == (ErrorCode.NONE, RECORDS)
        assert client.produce("rides", good_batch(b"more")) == (ErrorCode.NONE, RECORDS)


async def test_it_is_given_the_configs_that_its_folders_do_not_hold(data: Path) -> None:
    """Without retention.ms=-1, retention would delete what was just brought here."""
    adopted = await adopt(settings(data), "rides", {"retention.ms": "-1"})
    assert dict(adopted.topic.configs) == {"retention.ms": "-1"}
    assert adopted.topic.config.retention_ms == -1


async def test_a_config_that_the_broker_could_not_honour_is_refused_as_when_a_topic_is_created(data: Path) -> None:
    careless = BrokerSettings.load(data_folder=data, durability="os")
    with pytest.raises(InvalidConfig, match="durability"):
        await adopt(careless, "rides", {"flush.ms": "5"})
    assert (await adopt(careless, "rides")).records == RECORDS


async def test_a_config_that_makes_no_sense_is_refused_and_changes_nothing(data: Path) -> None:
    with pytest.raises(InvalidConfig):
        await adopt(settings(data), "rides", {"retention.ms": "long"})
    assert (await adopt(settings(data), "rides")).records == RECORDS


async def test_the_groups_offsets_come_along_and_are_kept_for_good(data: Path) -> None:
    with Broker(data) as running:
        ConfluentKafka(running.bootstrap).create("cars")
        ConfluentKafka(running.bootstrap).produce("cars", [Send(b"%d" % number) for number in range(5)])
        ConfluentKafka(running.bootstrap).consume_in_group("cars", 2, group="pricing")
    for part in data.glob("catalog.sqlite*"):
        part.unlink()
    adopted = await adopt(settings(data), CONSUMER_OFFSETS)
    assert adopted.topic.internal
    assert adopted.topic.configs["cleanup.policy"] == "compact"
    await adopt(settings(data), "cars")
    with Broker(data) as running:
        rest = ConfluentKafka(running.bootstrap).consume_in_group("cars", 3, group="pricing")
    assert [record.offset for record in rest] == [2, 3, 4]


async def test_a_running_broker_is_named_and_keeps_its_folder(data: Path) -> None:
    with Broker(data, process=True) as running:
        with pytest.raises(DataFolderInUse, match=str(running.pid)):
            await adopt(settings(data), "rides")
        with Connection(running.port) as client:
            assert client.create("cars") == ErrorCode.NONE


async def test_a_name_that_is_taken_is_refused_and_the_folder_is_free_again(data: Path) -> None:
    await adopt(settings(data), "rides")
    with pytest.raises(TopicAlreadyExists):
        await adopt(settings(data), "rides")
    with Broker(data):
        pass


async def test_whatever_fails_once_the_logs_are_open_the_folder_is_free_again(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Logs, "__iter__", lambda logs: (_ for _ in ()).throw(RuntimeError("halfway")))
        with pytest.raises(RuntimeError, match="halfway"):
            await adopt(settings(data), "rides")
    assert (await adopt(settings(data), "rides")).records == RECORDS


@pytest.mark.parametrize("name", ["cars", "rides-0", ""])
async def test_a_topic_that_has_no_folder_is_one_sentence(data: Path, name: str) -> None:
    with pytest.raises(CannotAdopt, match=r"put .*-0, .*-1 … there first"):
        await adopt(settings(data), name)


async def test_folders_of_two_topics_under_one_name_are_not_mixed(data: Path, tmp_path: Path) -> None:
    with Broker(tmp_path / "other") as running, Connection(running.port) as client:
        assert client.create("rides") == ErrorCode.NONE
        assert client.produce("rides", good_batch(b"another's")) == (ErrorCode.NONE, 0)
    shutil.copytree(tmp_path / "other" / "topics" / "rides-0", data / "topics" / "rides-1")
    with pytest.raises(CannotAdopt, match="different topics"):
        await adopt(settings(data), "rides")
