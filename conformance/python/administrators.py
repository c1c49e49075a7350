"""The administration that each client has, behind one small surface; what it has not raises `Lacks`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import aiokafka
import aiokafka.admin
import aiokafka.errors
import confluent_kafka
import confluent_kafka.admin
from aiokafka.admin.config_resource import ConfigResource as AioConfigResource
from aiokafka.admin.config_resource import ConfigResourceType as AioConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from conformance.drive import DEADLINE_S, Lacks
from tests.clients.adapters import Refusal, kafka

T = TypeVar("T")


class Group(NamedTuple):
    """A group as an administrator sees it."""

    state: str
    members: tuple[frozenset[int], ...]
    """The partitions of each."""


class Administrator(Protocol):
    """What the scenarios ask of every client's administration. A refusal of the broker's comes out as `Refusal`."""

    def __init__(self, bootstrap: str) -> None: ...

    def leaders(self, topic: str) -> Mapping[int, int]: ...

    def grow(self, topic: str, partitions: int) -> None: ...

    def configs(self, topic: str) -> Mapping[str, str | None]: ...

    def set_config(self, topic: str, name: str, value: str) -> None: ...

    def reset_config(self, topic: str, name: str) -> None: ...

    def delete_before(self, topic: str, offsets: Mapping[int, int]) -> None: ...

    def log_sizes(self, topic: str) -> Mapping[int, int]: ...

    def groups(self) -> Collection[str]: ...

    def describe_group(self, group: str) -> Group: ...

    def delete_group(self, group: str) -> None: ...

    def offsets(self, group: str, topic: str) -> Mapping[int, int]: ...

    def set_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None: ...

    def delete_offset(self, group: str, topic: str, partition: int) -> None: ...


class ConfluentAdministrator:
    """confluent-kafka."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    @staticmethod
    def _wait(futures: Mapping[Any, Any]) -> Any:
        (future,) = futures.values()
        return _result(future)

    def leaders(self, topic: str) -> Mapping[int, int]:
        asked = confluent_kafka.TopicCollection([topic])
        described = self._wait(self._admin.describe_topics(asked))
        return {each.id: each.leader.id for each in described.partitions}

    def grow(self, topic: str, partitions: int) -> None:
        self._wait(self._admin.create_partitions([confluent_kafka.admin.NewPartitions(topic, partitions)]))

    @staticmethod
    def _resource(topic: str) -> confluent_kafka.admin.ConfigResource:
        return confluent_kafka.admin.ConfigResource(confluent_kafka.admin.ResourceType.TOPIC, topic)

    def configs(self, topic: str) -> Mapping[str, str | None]:
        entries = self._wait(self._admin.describe_configs([self._resource(topic)]))
        return {name: entry.value for name, entry in entries.items()}

    def _alter(self, topic: str, name: str, value: str | None, how: confluent_kafka.admin.AlterConfigOpType) -> None:
        resource = self._resource(topic)
        resource.add_incremental_config(confluent_kafka.admin.ConfigEntry(name, value, incremental_operation=how))
        self._wait(self._admin.incremental_alter_configs([resource]))

    def set_config(self, topic: str, name: str, value: str) -> None:
        self._alter(topic, name, value, confluent_kafka.admin.AlterConfigOpType.SET)

    def reset_config(self, topic: str, name: str) -> None:
        self._alter(topic, name, None, confluent_kafka.admin.AlterConfigOpType.DELETE)

    def delete_before(self, topic: str, offsets: Mapping[int, int]) -> None:
        asked = [confluent_kafka.TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        for future in self._admin.delete_records(asked).values():
            _result(future)

    def log_sizes(self, topic: str) -> Mapping[int, int]:
        raise Lacks("confluent-kafka does not ask for log dirs")

    def groups(self) -> Collection[str]:
        listed = _result(self._admin.list_consumer_groups())
        return {each.group_id for each in listed.valid}

    def describe_group(self, group: str) -> Group:
        described = self._wait(self._admin.describe_consumer_groups([group]))
        members = (member.assignment.topic_partitions for member in described.members)
        state = described.state.name.title()
        return Group(state, tuple(frozenset(each.partition for each in owned) for owned in members))

    def delete_group(self, group: str) -> None:
        self._wait(self._admin.delete_consumer_groups([group]))

    def offsets(self, group: str, topic: str) -> Mapping[int, int]:
        asked = confluent_kafka.ConsumerGroupTopicPartitions(group)
        found = self._wait(self._admin.list_consumer_group_offsets([asked]))
        return {each.partition: each.offset for each in found.topic_partitions if each.topic == topic}

    def set_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        to = [confluent_kafka.TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        asked = confluent_kafka.ConsumerGroupTopicPartitions(group, to)
        self._wait(self._admin.alter_consumer_group_offsets([asked]))

    def delete_offset(self, group: str, topic: str, partition: int) -> None:
        raise Lacks("confluent-kafka does not delete single offsets")


def _result(future: Any) -> Any:
    try:
        return future.result(DEADLINE_S)
    except confluent_kafka.KafkaException as error:
        raise Refusal(error.args[0].code(), error.args[0].str()) from error


class KafkaPythonAdministrator:
    """kafka-python."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = kafka.admin.KafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            yield admin
        except kafka.errors.KafkaError as error:
            raise Refusal(error.errno, str(error)) from error
        finally:
            admin.close()

    @staticmethod
    def _check(*said: str) -> None:
        """It does not raise for these calls, but says `OK`, `NoError`, an error's name, or `[Error 40] …`."""
        for each in said:
            name = re.sub(r"^\[Error \d+\] ", "", each).partition(":")[0]
            if name not in ("OK", "NoError"):
                raise Refusal(getattr(kafka.errors, name).errno, each)

    def leaders(self, topic: str) -> Mapping[int, int]:
        with self._admin() as admin:
            (described,) = admin.describe_topics([topic])
        return {each["partition_index"]: each["leader_id"] for each in described["partitions"]}

    def grow(self, topic: str, partitions: int) -> None:
        with self._admin() as admin:
            admin.create_partitions({topic: partitions})

    def _resource(self, topic: str, configs: Mapping[str, str] | None = None) -> Any:
        return kafka.admin.ConfigResource(kafka.admin.ConfigResourceType.TOPIC, topic, configs=configs)

    def configs(self, topic: str) -> Mapping[str, str | None]:
        with self._admin() as admin:
            described = admin.describe_configs([self._resource(topic)], config_filter="all")
        ((found,),) = (tuple(by_name.values()) for by_name in described.values())
        return {name: config["value"] for name, config in found.items()}

    def set_config(self, topic: str, name: str, value: str) -> None:
        with self._admin() as admin:
            self._check(*admin.alter_configs([self._resource(topic, {name: value})])["topic"].values())

    def reset_config(self, topic: str, name: str) -> None:
        with self._admin() as admin:
            self._check(*admin.reset_configs([self._resource(topic, {name: ""})])["topic"].values())

    def delete_before(self, topic: str, offsets: Mapping[int, int]) -> None:
        wanted = {kafka.TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
        with self._admin() as admin:
            admin.delete_records(wanted)

    def log_sizes(self, topic: str) -> Mapping[int, int]:
        with self._admin() as admin:
            brokers = admin.describe_log_dirs([topic])
        return {
            each["partition_index"]: each["partition_size"]
            for broker in brokers
            for folder in broker["log_dirs"]
            for found in folder["topics"]
            if found["name"] == topic
            for each in found["partitions"]
        }

    def groups(self) -> Collection[str]:
        with self._admin() as admin:
            return {each["group_id"] for each in admin.list_groups()}

    def describe_group(self, group: str) -> Group:
        with self._admin() as admin:
            described = admin.describe_groups([group])[group]
        members = (member["member_assignment"]["assigned_partitions"] for member in described["members"])
        owned = tuple(frozenset(each for topic in topics for each in topic["partitions"]) for topics in members)
        return Group(described["group_state"], owned)

    def delete_group(self, group: str) -> None:
        with self._admin() as admin:
            self._check(*admin.delete_groups([group]).values())

    def offsets(self, group: str, topic: str) -> Mapping[int, int]:
        with self._admin() as admin:
            found = admin.list_group_offsets({group: None})[group]
        return {where.partition: each.offset for where, each in found.items() if where.topic == topic}

    def set_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        to = {
            kafka.TopicPartition(topic, partition): kafka.structs.OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
        }
        with self._admin() as admin:
            self._check(*(error.__name__ for error in admin.alter_group_offsets(group, to).values()))

    def delete_offset(self, group: str, topic: str, partition: int) -> None:
        with self._admin() as admin:
            answer = admin.delete_group_offsets(group, [kafka.TopicPartition(topic, partition)])
        self._check(*(error.__name__ for error in answer.values()))


class AioKafkaAdministrator:
    """aiokafka, each call in an event loop of its own."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def _ask(self, call: Callable[[aiokafka.admin.AIOKafkaAdminClient], Coroutine[Any, Any, T]]) -> T:
        async def work() -> T:
            admin = aiokafka.admin.AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
            await admin.start()
            try:
                return await call(admin)
            except aiokafka.errors.KafkaError as error:
                raise Refusal(getattr(error, "errno", -1), str(error)) from error
            finally:
                await admin.close()

        return asyncio.run(work())

    def leaders(self, topic: str) -> Mapping[int, int]:
        (described,) = self._ask(lambda admin: admin.describe_topics([topic]))
        return {each["partition"]: each["leader"] for each in described["partitions"]}

    def grow(self, topic: str, partitions: int) -> None:
        wanted = {topic: aiokafka.admin.NewPartitions(partitions)}
        self._ask(lambda admin: admin.create_partitions(wanted))

    def configs(self, topic: str) -> Mapping[str, str | None]:
        resource = AioConfigResource(AioConfigResourceType.TOPIC, topic)
        (answer,) = self._ask(lambda admin: admin.describe_configs([resource]))
        ((*_, entries),) = answer.resources
        return {name: value for name, value, *_ in entries}

    def _alter(self, topic: str, configs: dict[str, str]) -> None:
        resource = AioConfigResource(AioConfigResourceType.TOPIC, topic, configs)
        for answer in self._ask(lambda admin: admin.alter_configs([resource])):
            for code, message, *_ in answer.resources:
                if code:
                    raise Refusal(code, message)

    def set_config(self, topic: str, name: str, value: str) -> None:
        self._alter(topic, {name: value})

    def reset_config(self, topic: str, name: str) -> None:
        """AlterConfigs says all that a topic is to have: what it does not name goes back to its default."""
        self._alter(topic, {})

    def delete_before(self, topic: str, offsets: Mapping[int, int]) -> None:
        wanted = {
            aiokafka.TopicPartition(topic, partition): aiokafka.admin.RecordsToDelete(before_offset=offset)
            for partition, offset in offsets.items()
        }
        self._ask(lambda admin: admin.delete_records(wanted))

    def log_sizes(self, topic: str) -> Mapping[int, int]:
        raise Lacks("aiokafka does not ask for log dirs")

    def groups(self) -> Collection[str]:
        return {group for group, *_ in self._ask(lambda admin: admin.list_consumer_groups())}

    def describe_group(self, group: str) -> Group:
        (answer,) = self._ask(lambda admin: admin.describe_consumer_groups([group]))
        ((code, _, state, _, _, members, *_),) = answer.groups
        if code:
            raise Refusal(code, "the group was not described")
        assignments = (ConsumerProtocolMemberAssignment.decode(assignment) for *_, assignment in members)
        return Group(state, tuple(frozenset(each.partition for each in one.partitions()) for one in assignments))

    def delete_group(self, group: str) -> None:
        raise Lacks("aiokafka does not delete groups")

    def offsets(self, group: str, topic: str) -> Mapping[int, int]:
        found = self._ask(lambda admin: admin.list_consumer_group_offsets(group))
        return {where.partition: each.offset for where, each in found.items() if where.topic == topic}

    def set_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """It has no call of an administrator's for it; a consumer without a subscription does the same."""

        async def work() -> None:
            consumer = aiokafka.AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap, group_id=group, enable_auto_commit=False
            )
            where = {aiokafka.TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
            consumer.assign(list(where))
            async with consumer:
                await consumer.commit(where)

        asyncio.run(work())

    def delete_offset(self, group: str, topic: str, partition: int) -> None:
        raise Lacks("aiokafka does not delete single offsets")


ADMINISTRATORS: Final[Mapping[str, type[Administrator]]] = {
    "confluent-kafka": ConfluentAdministrator,
    "aiokafka": AioKafkaAdministrator,
    "kafka-python": KafkaPythonAdministrator,
}
