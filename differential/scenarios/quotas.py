"""Quotas: described, altered, and felt by those who have them.

Each client of these scenarios has an id of its own. Quotas of everybody are so large that nobody feels them, or there
only while a scenario plays. What is felt does not depend on how long it took to get there: what is to be too much is so
by itself, or stays so for longer than a test lasts.
Only what a consumer has read counts for no longer than ten seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from differential.calls import batch, creatable, create_partitions, create_topics, fetch, produce
from differential.client import PATIENCE_S, Connection
from differential.scenario import scenario
from differential.stage import Stage, Topic
from drave.model.ids import ZERO_TOPIC_ID
from drave.wire.api import ApiKey
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from drave.wire.messages.k18_api_versions import ApiVersionsRequest
from drave.wire.messages.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from drave.wire.messages.k48_describe_client_quotas import ComponentData, DescribeClientQuotasRequest
from drave.wire.messages.k49_alter_client_quotas import AlterClientQuotasRequest, EntityData, EntryData, OpData
from drave.wire.messages.k50_describe_user_scram_credentials import DescribeUserScramCredentialsRequest, UserName

ALTER = ApiKey.ALTER_CLIENT_QUOTAS
DESCRIBE = ApiKey.DESCRIBE_CLIENT_QUOTAS
EXACT, DEFAULT, ANY = 0, 1, 2
PRODUCE, CONSUME = "producer_byte_rate", "consumer_byte_rate"
REQUEST, MUTATE, CONNECT = "request_percentage", "controller_mutation_rate", "connection_creation_rate"
SMALL, LARGE = 16.0, 1e12
"""Bytes a second. Some 600 bytes a minute are within the small one, twice as much is not."""
SLOW = 1 / 3600

Entity = tuple[tuple[str, str | None], ...]
Ops = Sequence[tuple[str, float | None]]
"""Quotas that are given, or None where they are taken."""


def _alter(*entries: tuple[Entity, Ops], validate_only: bool = False) -> AlterClientQuotasRequest:
    asked = [
        EntryData(
            entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
            ops=[OpData(key=key, value=0.0 if value is None else value, remove=value is None) for key, value in ops],
        )
        for entity, ops in entries
    ]
    return AlterClientQuotasRequest(entries=asked, validate_only=validate_only)


def _describe(*components: tuple[str, int, str | None], strict: bool = False) -> DescribeClientQuotasRequest:
    asked = [ComponentData(entity_type=kind, match_type=match, match=name) for kind, match, name in components]
    return DescribeClientQuotasRequest(components=asked, strict=strict)


def _exactly(entity: Entity) -> DescribeClientQuotasRequest:
    return _describe(*[(kind, DEFAULT if name is None else EXACT, name) for kind, name in entity], strict=True)


@contextmanager
def _quotas(stage: Stage, given: Mapping[Entity, Ops]) -> Iterator[None]:
    """While the scenario plays, and in effect when it begins."""
    stage.quietly(_alter(*given.items()))
    try:
        for entity in given:
            stage.wait(_exactly(entity), lambda answer: bool(answer.entries))
        stage.settle()
        yield
    finally:
        stage.quietly(_alter(*[(entity, [(key, None) for key, _ in ops]) for entity, ops in given.items()]))
        for entity in given:
            stage.wait(_exactly(entity), lambda answer: not answer.entries)


def _client(stage: Stage) -> tuple[str, Connection]:
    """A client with an id of its own."""
    name = stage.name("client")
    return name, stage.connect(name)


# -- described


def _filters(ann: str, app: str) -> list[list[tuple[str, int, str | None]]]:
    return [
        [],
        [("user", EXACT, ann)],
        [("user", DEFAULT, None)],
        [("user", ANY, None)],
        [("client-id", EXACT, app)],
        [("client-id", DEFAULT, None)],
        [("client-id", ANY, None)],
        [("user", EXACT, ann), ("client-id", EXACT, app)],
        [("client-id", ANY, None), ("user", DEFAULT, None)],
        [("user", ANY, None), ("client-id", ANY, None)],
        [("user", EXACT, ann), ("client-id", DEFAULT, None)],
        [("ip", EXACT, "192.0.2.7")],
        [("ip", DEFAULT, None)],
        [("ip", ANY, None)],
        [("user", EXACT, "nobody")],
        [("user", EXACT, "")],
        # what is wrong
        [("", EXACT, ann)],
        [("group", EXACT, ann)],
        [("user", EXACT, None)],
        [("user", DEFAULT, ann)],
        [("user", ANY, ann)],
        [("user", 3, None)],
        [("user", -1, None)],
        [("user", EXACT, ann), ("user", DEFAULT, None)],
        [("user", ANY, None), ("ip", ANY, None)],
        [("ip", ANY, None), ("client-id", EXACT, app)],
    ]


@scenario(DESCRIBE, strict=(False, True))
def whom_a_filter_finds(stage: Stage, version: int, strict: bool) -> None:
    ann, app = stage.name("ann"), stage.name("app")
    everybody: dict[Entity, Ops] = {
        (("user", ann),): [(PRODUCE, LARGE), (REQUEST, 12.5)],
        (("user", None),): [(PRODUCE, LARGE + 1)],
        (("client-id", app), ("user", ann)): [(CONSUME, LARGE)],
        (("client-id", None), ("user", ann)): [(MUTATE, LARGE)],
        (("client-id", app), ("user", None)): [(PRODUCE, LARGE + 2)],
        (("client-id", app),): [(PRODUCE, LARGE + 3)],
        (("client-id", None),): [(PRODUCE, LARGE + 4)],
        (("ip", "192.0.2.7"),): [(CONNECT, 1000)],
        (("ip", None),): [(CONNECT, 1_000_000)],
    }
    with _quotas(stage, everybody):
        for components in _filters(ann, app):
            stage.ask(_describe(*components, strict=strict), version)


@scenario(
    ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS, users=(None, (), ("ann",), ("ann", "bob"), ("ann", "bob", "ann"), ("",))
)
def users_who_do_not_log_in(stage: Stage, version: int, users: Sequence[str] | None) -> None:
    """Kafka's config tool asks for them along with their quotas."""
    asked = None if users is None else [UserName(name=name) for name in users]
    stage.ask(DescribeUserScramCredentialsRequest(users=asked), version)


# -- altered

WRONG_ENTITIES: Final[dict[str, Entity]] = {
    "none": (),
    "unknown": (("group", "g"),),
    "without type": (("", "g"),),
    "empty user": (("user", ""),),
    "empty client": (("client-id", ""), ("user", "ann")),
    "empty address": (("ip", ""),),
    "user and address": (("user", "ann"), ("ip", "192.0.2.7")),
    "client and address": (("client-id", None), ("ip", None)),
    "user twice": (("user", "ann"), ("user", "bob")),
    "no host": (("ip", "no.such.host.invalid"),),
    "name of a host": (("ip", "localhost"),),
}

WRONG_QUOTAS: Final[dict[str, tuple[str, float]]] = {
    "unknown": ("colour", 1),
    "of addresses": (CONNECT, 1),
    "nothing": (PRODUCE, 0),
    "less": (CONSUME, -1),
    "not whole": (PRODUCE, 1.5),
    "endless bytes": (PRODUCE, math.inf),
    "too many bytes": (CONSUME, 2.0**64),
    "no number": (REQUEST, math.nan),
    "less than nothing": (MUTATE, -0.5),
}


@scenario(ALTER, entity=WRONG_ENTITIES, validate_only=(False, True))
def an_entity_that_is_none(stage: Stage, version: int, entity: str, validate_only: bool) -> None:
    parts = WRONG_ENTITIES[entity]
    key, value = (CONNECT, 1e6) if any(kind == "ip" for kind, _ in parts) else (PRODUCE, LARGE)
    stage.ask(_alter((parts, [(key, value)]), validate_only=validate_only), version)
    stage.quietly(_alter((parts, [(key, None)])))


@scenario(ALTER, quota=WRONG_QUOTAS, validate_only=(False, True))
def a_quota_that_is_none(stage: Stage, version: int, quota: str, validate_only: bool) -> None:
    user: Entity = (("user", stage.name("ann")),)
    key, value = WRONG_QUOTAS[quota]
    right = CONSUME if key == PRODUCE else PRODUCE
    stage.ask(_alter((user, [(right, LARGE), (key, value)]), validate_only=validate_only), version)
    stage.quietly(_alter((user, [(right, None), (key, None)])))


@scenario(ALTER, value=(1.0, 1.5, 0.0, 2.0**31 - 1, 2.0**31))
def how_many_connections_of_an_address(stage: Stage, version: int, value: float) -> None:
    address: Entity = (("ip", "192.0.2.9"),)
    stage.ask(_alter((address, [(CONNECT, value)])), version)
    stage.ask(_alter((address, [(PRODUCE, 5)])), version)
    stage.ask(_alter((address, [(CONNECT, None)])), version)


@scenario(ALTER, validate_only=(False, True))
def given_and_taken(stage: Stage, version: int, validate_only: bool) -> None:
    user: Entity = (("user", stage.name("ann")),)
    steps: list[Ops] = [
        [],
        [(PRODUCE, LARGE), (REQUEST, 0.001), (MUTATE, math.inf), (CONSUME, 2.0**63)],
        [(PRODUCE, None), (REQUEST, 50.0)],
        [("colour", None)],
        [(REQUEST, None), (CONSUME, None), (MUTATE, None)],
    ]
    with _quotas(stage, {user: [(PRODUCE, LARGE + 1)]}):
        for ops in steps:
            stage.ask(_alter((user, ops), validate_only=validate_only), version)
            stage.settle()
            stage.ask(_exactly(user), version)


@scenario(ALTER)
def several_each_by_itself(stage: Stage, version: int) -> None:
    ann, bob = ((("user", stage.name(name)),) for name in ("ann", "bob"))
    stage.ask(_alter((ann, [(PRODUCE, LARGE), ("colour", 1)]), (bob, [(PRODUCE, LARGE)])), version)
    stage.settle()
    stage.ask(_exactly(ann), version)
    stage.ask(_exactly(bob), version)
    stage.quietly(_alter((bob, [(PRODUCE, None)])))


@scenario(ALTER)
def the_same_twice(stage: Stage, version: int) -> None:
    user: Entity = (("user", stage.name("ann")),)
    stage.ask(_alter((user, [(PRODUCE, LARGE), (PRODUCE, LARGE + 1)])), version)
    stage.ask(_alter((user, [(PRODUCE, LARGE)]), (user, [(CONSUME, LARGE)])), version)
    stage.settle()
    stage.ask(_exactly(user), version)
    stage.quietly(_alter((user, [(PRODUCE, None)])))


# -- felt

LEVELS: Final = 8


def _levels(client_id: str) -> list[Entity]:
    """Whose quotas may count for a client, the one that does first."""
    user = "ANONYMOUS"
    return [
        (("client-id", client_id), ("user", user)),
        (("client-id", None), ("user", user)),
        (("user", user),),
        (("client-id", client_id), ("user", None)),
        (("client-id", None), ("user", None)),
        (("user", None),),
        (("client-id", client_id),),
        (("client-id", None),),
    ]


@scenario(level=range(LEVELS), rest=("none", "less specific", "more specific"))
def whose_quota_counts(stage: Stage, level: int, rest: str) -> None:
    """One quota is small; those of the rest are large."""
    topic = stage.topic()
    name, connection = _client(stage)
    levels = _levels(name)
    others = {"none": [], "less specific": levels[level + 1 :], "more specific": levels[:level]}[rest]
    given: dict[Entity, Ops] = {entity: [(PRODUCE, LARGE)] for entity in others}
    with _quotas(stage, {**given, levels[level]: [(PRODUCE, SMALL)]}):
        stage.ask(produce(topic, batch("x" * 2000)), on=connection)


@scenario(ApiKey.PRODUCE)
def a_producer_over_its_rate(stage: Stage, version: int) -> None:
    topic = stage.topic()
    name, connection = _client(stage)
    with _quotas(stage, {(("client-id", name),): [(PRODUCE, SMALL)]}):
        stage.ask(produce(topic, batch("within it")), version, on=connection)
        stage.ask(produce(topic, batch("x" * 2000)), version, on=connection)


@scenario(ApiKey.FETCH)
def a_consumer_over_its_rate(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.quietly(produce(topic, batch("x" * 600)))
    name, connection = _client(stage)
    with _quotas(stage, {(("client-id", name),): [(CONSUME, SMALL)]}):
        stage.ask(fetch(topic, 0), version, on=connection)
        stage.quietly(produce(topic, batch("x" * 600)))
        stage.ask(fetch(topic, 1), version, on=connection)


@scenario(ApiKey.FETCH, since=7, begun=(False, True))
def a_session_of_a_consumer_over_its_rate(stage: Stage, version: int, begun: bool) -> None:
    topic = stage.topic()
    stage.quietly(produce(topic, batch("x" * 600)))
    name, connection = _client(stage)
    with _quotas(stage, {(("client-id", name),): [(CONSUME, SMALL)]}):
        session_id, epoch = 0, 0
        if begun:
            session_id, epoch = stage.ask(fetch(topic, 0, session_epoch=0), version, on=connection).session_id, 1
        else:
            stage.ask(fetch(topic, 0), version, on=connection)
        stage.quietly(produce(topic, batch("x" * 600)))
        stage.ask(fetch(topic, 1, session_id=session_id, session_epoch=epoch), version, on=connection)


@scenario(ApiKey.HEARTBEAT)
def a_client_over_its_share_of_time(stage: Stage, version: int) -> None:
    name, connection = _client(stage)
    asked = HeartbeatRequest(group_id=stage.group(), generation_id=1, member_id="nobody")
    with _quotas(stage, {(("client-id", name),): [(REQUEST, 1e-6)]}):
        stage.ask(asked, version, on=connection)


@scenario(ApiKey.CREATE_TOPICS, validate_only=(False, True))
def more_topics_than_may_be_made(stage: Stage, version: int, validate_only: bool) -> None:
    name, connection = _client(stage)
    wanted = [creatable(stage.name(word), 2) for word in ("a", "b", "c", "d")]
    with _quotas(stage, {(("client-id", name),): [(MUTATE, SLOW)]}):
        stage.ask(create_topics(wanted[0], validate_only=validate_only), version, on=connection)
        stage.ask(create_topics(*wanted[1:]), version, on=stage.connect(name))


def _delete(topic: Topic) -> DeleteTopicsRequest:
    state = DeleteTopicState(name=topic.name, topic_id=ZERO_TOPIC_ID)
    return DeleteTopicsRequest(topics=[state], topic_names=[topic.name], timeout_ms=9000)


@scenario(ApiKey.DELETE_TOPICS)
def more_topics_than_may_be_deleted(stage: Stage, version: int) -> None:
    topics = [stage.topic(word, partitions=2) for word in ("a", "b")]
    name, connection = _client(stage)
    with _quotas(stage, {(("client-id", name),): [(MUTATE, SLOW)]}):
        for topic in topics:
            stage.ask(_delete(topic), version, on=connection)
            connection = stage.connect(name)


@scenario(ApiKey.CREATE_PARTITIONS, validate_only=(False, True))
def more_partitions_than_may_be_made(stage: Stage, version: int, validate_only: bool) -> None:
    topic = stage.topic()
    name, connection = _client(stage)
    with _quotas(stage, {(("client-id", name),): [(MUTATE, SLOW)]}):
        for count in (4, 5):
            asked = create_partitions((topic.name, count, None), timeout_ms=9000, validate_only=validate_only)
            stage.ask(asked, version, on=connection)
            connection = stage.connect(name)


@scenario(address=("127.0.0.1", None))
def more_connections_than_an_address_may_make(stage: Stage, address: str | None) -> None:
    """What comes too soon is accepted by the kernel all the same, and closed without an answer. Which one that is hangs
    on the time: of so many as could not all come in while anybody has the patience, one is. What counts is a minute."""
    with _quotas(stage, {(("ip", address),): [(CONNECT, 1)]}):
        asked = [stage.send(ApiVersionsRequest(), 0, on=stage.connect()) for _ in range(2 * int(PATIENCE_S))]
        stage.see("any of them closed", not all(stage.is_answered(each) for each in asked))
