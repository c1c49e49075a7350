"""AlterReplicaLogDirs: what Apache Kafka 4.3.1 with one log directory answers."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k34_alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)


def alter(*asked: tuple[str, str, int]) -> AlterReplicaLogDirsRequest:
    """Triples of a folder, a topic and a partition."""
    return AlterReplicaLogDirsRequest(
        dirs=[
            AlterReplicaLogDir(path=path, topics=[AlterReplicaLogDirTopic(name=name, partitions=[index])])
            for path, name, index in asked
        ]
    )


def codes(response) -> dict[tuple[str, int], int]:
    return {
        (topic.topic_name, each.partition_index): each.error_code
        for topic in response.results
        for each in topic.partitions
    }


@pytest.fixture
async def here(asker, broker) -> str:
    """The folder of all partitions, of which `rides` has two."""
    await asker.create_topic("rides", partitions=2)
    return str(broker.logs.folder)


@pytest.mark.parametrize("version", [1, 2])
async def test_a_replica_is_where_it_is_and_can_be_nowhere_else(see, here, version):
    response = await see(alter((here, "rides", 0), ("/elsewhere", "rides", 1)), version)
    assert codes(response) == {("rides", 0): 0, ("rides", 1): ErrorCode.LOG_DIR_NOT_FOUND}


@pytest.mark.parametrize("path", ["", ".", "topics"])
async def test_only_its_whole_name_is_the_folder(see, here, path):
    assert codes(await see(alter((path, "rides", 0), (here + "/", "rides", 1)))) == {
        ("rides", 0): ErrorCode.LOG_DIR_NOT_FOUND,
        ("rides", 1): ErrorCode.LOG_DIR_NOT_FOUND,
    }


async def test_what_does_not_exist_is_nowhere(see, here):
    response = await see(alter((here, "rides", 2), (here, "nope", 0), ("/elsewhere", "nope", 1)))
    assert codes(response) == {
        ("rides", 2): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ("nope", 0): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ("nope", 1): ErrorCode.LOG_DIR_NOT_FOUND,
    }


async def test_of_several_folders_for_a_replica_the_last_counts(see, here):
    assert codes(await see(alter((here, "rides", 0), ("/elsewhere", "rides", 0)))) == {("rides", 0): 57}
    assert codes(await see(alter(("/elsewhere", "rides", 0), (here, "rides", 0)))) == {("rides", 0): 0}


async def test_nothing_asked_is_nothing_answered(see, here):
    assert (await see(alter())).results == []
