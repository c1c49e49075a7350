"""What members of streams groups ask, and what tools ask about them."""

from __future__ import annotations

from drave.broker.coordinator.classic.group import ClassicGroup
from drave.broker.coordinator.group import Caller
from drave.broker.coordinator.modern import JOIN_EPOCH, LEAVE_EPOCH
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import streams_heartbeat_refused
from drave.broker.coordinator.streams.describing import describe
from drave.broker.coordinator.streams.group import StreamsGroup
from drave.broker.coordinator.streams.heartbeats import Heartbeat, MissingTopics, check_request, leave
from drave.broker.coordinator.table import GroupTable
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.wire.messages.k88_streams_group_heartbeat import StreamsGroupHeartbeatRequest
from drave.wire.messages.k89_streams_group_describe import DescribedGroup


class StreamsRequests:
    """The streams groups of one shard. Every method that takes a token answers it through its outcome."""

    def __init__(self, table: GroupTable) -> None:
        self._table = table

    def heartbeat(
        self,
        request: StreamsGroupHeartbeatRequest,
        caller: Caller,
        token: Token,
        now_ms: int,
        creation_failures: str | None = None,
    ) -> Outcome:
        """Take a member in, let it go, or lead it on. Where internal topics are missing the answer is `MissingTopics`,
        unless it is said how creating them has gone."""
        out = Outcome()
        try:
            check_request(request)
            if request.member_epoch == LEAVE_EPOCH:
                out.reply(token, leave(self._group(request.group_id), request, out))
                return out
            self._heartbeat(request, caller, token, now_ms, creation_failures, out)
        except ProtocolError as refusal:
            out = Outcome()
            out.reply(token, streams_heartbeat_refused(refusal.code, str(refusal)))
        return out

    def _heartbeat(
        self,
        request: StreamsGroupHeartbeatRequest,
        caller: Caller,
        token: Token,
        now_ms: int,
        creation_failures: str | None,
        out: Outcome,
    ) -> None:
        is_joining = request.member_epoch == JOIN_EPOCH
        group = self._group_to_join(request.group_id) if is_joining else self._group(request.group_id)
        heartbeat = Heartbeat(group, request, caller, now_ms)
        if heartbeat.missing and creation_failures is None:
            out.reply(token, MissingTopics(heartbeat.missing))
            return
        before = self._table.groups.get(request.group_id)
        if isinstance(before, ClassicGroup) and before.record is not None:
            out.records.extend(before.tombstones())
        out.reply(token, heartbeat.go_on(out, creation_failures or ""))
        if before is not group:
            self._table.coming = group

    def _group(self, group_id: str) -> StreamsGroup:
        group = self._table.get(group_id, StreamsGroup)
        if group is None:
            what = "is not a streams group" if group_id in self._table.groups else "not found"
            raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} {what}.")
        return group

    def _group_to_join(self, group_id: str) -> StreamsGroup:
        """The group; a new one if there is none, or an empty classic one, which gives its place; its offsets stay."""
        known = self._table.groups.get(group_id)
        gives_its_place = isinstance(known, ClassicGroup) and known.expires
        if known is None or gives_its_place:
            return StreamsGroup(group_id, self._table.surroundings)
        return self._group(group_id)

    def describe(self, group_id: str) -> DescribedGroup:
        """Raises Refused."""
        return describe(self._group(group_id))
