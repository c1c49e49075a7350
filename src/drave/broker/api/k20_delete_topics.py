"""DeleteTopics: topics that go, by name or by id.

Nothing of a topic is left for clients when this is answered; its files follow. Internal topics go like all others: who
deletes `__consumer_offsets` deletes every group.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.broker.quotas import Mutations, ThrottlingQuotaExceeded
from drave.broker.topics import check_time_is_left
from drave.catalog import NoSuchTopic, Topic
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.wire.messages.k20_delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)

BY_ID_SINCE: Final = 6
"""KIP-516."""
DISABLED_SINCE: Final = 3
"""TOPIC_DELETION_DISABLED came with version 3; INVALID_REQUEST stands for it before."""
STRICT_SINCE: Final = 5
"""KIP-599: from this version on clients know THROTTLING_QUOTA_EXCEEDED."""


async def delete_topics(broker: Broker, context: Context, request: DeleteTopicsRequest) -> DeleteTopicsResponse:
    """Durable when answered; an error belongs to its topic alone."""
    asked = _asked(context, request)
    if not broker.settings.delete_topics:
        code = ErrorCode.TOPIC_DELETION_DISABLED if context.api_version >= DISABLED_SINCE else ErrorCode.INVALID_REQUEST
        refusal = Refused(code, "This broker deletes no topics: it was started with delete_topics = false.")
        return DeleteTopicsResponse(responses=[_refused(state, refusal) for state in asked])
    mutations = Mutations(broker, context, strict_since=STRICT_SINCE)
    twice = _named_twice(broker, asked)
    results: list[DeletableTopicResult] = []
    for state in _each_once(asked):
        try:
            _check_named_once(state, twice)
            check_time_is_left(request.timeout_ms)
            results.append(await _delete(broker, state, mutations))
        except ProtocolError as refusal:
            results.append(_refused(state, refusal))
    return DeleteTopicsResponse(throttle_time_ms=mutations.wait_ms, responses=results)


def _asked(context: Context, request: DeleteTopicsRequest) -> list[DeleteTopicState]:
    """The topics of a request of any version in the form of the newest."""
    if context.api_version >= BY_ID_SINCE:
        return request.topics
    return [DeleteTopicState(name=name, topic_id=ZERO_TOPIC_ID) for name in request.topic_names]


def _each_once(asked: Iterable[DeleteTopicState]) -> Iterable[DeleteTopicState]:
    return {(state.name, state.topic_id): state for state in asked}.values()


def _named_twice(broker: Broker, asked: Iterable[DeleteTopicState]) -> set[TopicId | str]:
    """The names and ids that come more than once, also where a name and an id mean the same topic."""
    seen: set[TopicId | str] = set()
    twice: set[TopicId | str] = set()
    for state in asked:
        if (state.name is None) == (state.topic_id == ZERO_TOPIC_ID):
            continue  # refused for that alone
        topic = _look_up(broker, state)
        for alias in (_key(state),) if topic is None else (topic.name, topic.topic_id):
            (twice if alias in seen else seen).add(alias)
    return twice


def _key(state: DeleteTopicState) -> TopicId | str:
    return state.topic_id if state.name is None else state.name


def _look_up(broker: Broker, state: DeleteTopicState) -> Topic | None:
    if state.name is not None:
        return broker.catalog.topic(state.name)
    return broker.catalog.topic_by_id(state.topic_id)


def _check_named_once(state: DeleteTopicState, twice: set[TopicId | str]) -> None:
    by_id = state.topic_id != ZERO_TOPIC_ID
    if by_id and state.name is not None:
        raise Refused(ErrorCode.INVALID_REQUEST, "A topic is named by its name or by its id, not by both.")
    if not by_id and state.name is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "Neither a topic's name nor its id is given.")
    if _key(state) in twice:
        raise Refused(ErrorCode.INVALID_REQUEST, "The request names this topic more than once.")


async def _delete(broker: Broker, state: DeleteTopicState, mutations: Mutations) -> DeletableTopicResult:
    topic = _found(broker, state)
    try:
        mutations.take(topic.partitions)
        await broker.catalog.delete_topic(topic.topic_id)
    except NoSuchTopic:  # another request was quicker; what was asked for is so
        _found(broker, state)
    except ThrottlingQuotaExceeded as refusal:  # the one refusal that tells both names of the topic
        return _refused(DeleteTopicState(name=topic.name, topic_id=topic.topic_id), refusal)
    return DeletableTopicResult(name=topic.name, topic_id=topic.topic_id)


def _found(broker: Broker, state: DeleteTopicState) -> Topic:
    return broker.topic_by_id(state.topic_id) if state.name is None else broker.topic(state.name)


def _refused(state: DeleteTopicState, refusal: ProtocolError) -> DeletableTopicResult:
    return DeletableTopicResult(
        name=state.name, topic_id=state.topic_id, error_code=refusal.code, error_message=str(refusal)
    )
