"""StreamsGroupHeartbeat: a member of a streams group joins, stays, is led to its tasks, or leaves.

Internal topics that its application lacks are made before the member goes on, so that its first answer can have tasks.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, Final

from drave.broker.api.k19_create_topics import DEFAULT, create_topic
from drave.broker.callers import caller_of
from drave.broker.context import Context, Pending
from drave.broker.coordinator.modern import JOIN_EPOCH
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import streams_heartbeat_refused
from drave.broker.coordinator.runtime import answered
from drave.broker.coordinator.shard import GroupShard
from drave.broker.coordinator.streams.configuring import InternalTopic
from drave.broker.coordinator.streams.heartbeats import MissingTopics
from drave.broker.coordinator.streams.topology import InvalidTopology, check_size, check_topic_names
from drave.broker.core import Broker
from drave.broker.quotas.mutations import Mutations
from drave.catalog import TopicAlreadyExists
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.wire.messages.k19_create_topics import CreatableTopic, CreatableTopicConfig
from drave.wire.messages.k88_streams_group_heartbeat import StreamsGroupHeartbeatRequest

_FAILURES_TOLD_MAX: Final = 3


def streams_group_heartbeat(broker: Broker, context: Context, request: StreamsGroupHeartbeatRequest) -> Any:
    """Ask the group; make the topics that it misses, and ask once more."""
    if request.topology is not None:
        try:
            check_size(request.topology)
            check_topic_names(request.topology)
        except InvalidTopology as refusal:
            return streams_heartbeat_refused(refusal.code, str(refusal))
    asking = _Asking(broker, context, request)
    answer = asking.ask()
    if isinstance(answer, Coroutine):
        return asking.once_there(answer)
    return answer if asking.missing is None else asking.again()


class _Asking:
    """One heartbeat, asked once or twice."""

    def __init__(self, broker: Broker, context: Context, request: StreamsGroupHeartbeatRequest) -> None:
        self._broker = broker
        self._context = context
        self._request = request
        self._caller = caller_of(context)
        self.missing: Mapping[str, InternalTopic] | None = None

    def ask(self, creation_failures: str | None = None) -> Any:
        """The answer, a Pending or a coroutine; nobody's answer where `missing` is set."""

        def step(shard: GroupShard, token: Token, now_ms: int) -> Outcome:
            outcome = shard.streams.heartbeat(self._request, self._caller, token, now_ms, creation_failures)
            (reply,) = outcome.replies
            if isinstance(reply.response, MissingTopics):
                self.missing = reply.response.topics
            return outcome

        writes = self._request.member_epoch == JOIN_EPOCH
        return self._broker.groups.submit(self._request.group_id, step, streams_heartbeat_refused, writes=writes)

    async def once_there(self, answer: Coroutine[Any, Any, Any]) -> Any:
        """The same when the groups' own topic had to be made first."""
        response = await answer
        return response if self.missing is None else await self.again()

    async def again(self) -> Any:
        """Make what is missing, and have the heartbeat go on, whatever came of that."""
        assert self.missing is not None, "who is not told of missing topics does not ask again"
        answer = self.ask(await self._create(self.missing))
        return await answered(answer) if isinstance(answer, Pending) else answer

    async def _create(self, topics: Mapping[str, InternalTopic]) -> str:
        """Make these topics; what is told of those that could not be made, behind what is missing. Empty where all
        were."""
        mutations = Mutations(self._broker, self._context, strict_since=0)
        failures = []
        for topic in topics.values():
            try:
                await _create_topic(self._broker, topic, mutations)
            except TopicAlreadyExists:
                pass  # another member's heartbeat was quicker
            except ProtocolError as error:
                failures.append(f"{topic.name} ({error})")
        if not failures:
            return ""
        more = len(failures) - _FAILURES_TOLD_MAX
        told = ", ".join(failures[:_FAILURES_TOLD_MAX]) + (f" and {more} more" if more > 0 else "")
        return f"; Creation failed: {told}."


async def _create_topic(broker: Broker, topic: InternalTopic, mutations: Mutations) -> None:
    most = broker.settings.partitions_per_request_max
    if topic.partitions > most:
        raise Refused(ErrorCode.POLICY_VIOLATION, f"{topic.partitions} partitions are more than {most}.")
    asked = CreatableTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=topic.replication_factor or DEFAULT,
        assignments=[],
        configs=[CreatableTopicConfig(name=name, value=value) for name, value in topic.configs.items()],
    )
    await create_topic(broker, asked, mutations, validate_only=False)
