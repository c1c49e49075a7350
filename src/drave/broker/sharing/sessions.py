"""Share sessions: which partitions a member of a share group fetches, and which request of it is next (KIP-932).

    epoch 0     a new session, in the place of the one that there was
          1, …  the next request: partitions that it names are added, those that it forgets are taken out
         -1     the last one: what the member holds is given back

A session belongs to the connection that began it and goes with it. The group and the member name it, so it has no id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from drave.broker.context import Connection
from drave.model.errors import ErrorCode, ProtocolError
from drave.model.ids import TopicId

FINAL_EPOCH: Final = -1
INITIAL_EPOCH: Final = 0
EPOCH_MAX: Final = 2**31 - 1


class Place(NamedTuple):
    """One partition of one topic."""

    topic_id: TopicId
    partition: int


class ShareSessionNotFound(ProtocolError):
    """The member has no session: it went with its connection, or the broker was started anew."""

    code = ErrorCode.SHARE_SESSION_NOT_FOUND

    def __str__(self) -> str:
        return "This member has no share session here: begin one with epoch 0."


class InvalidShareSessionEpoch(ProtocolError):
    """The request is not the next of its session: one was lost or sent twice."""

    code = ErrorCode.INVALID_SHARE_SESSION_EPOCH

    def __str__(self) -> str:
        return "The request is not the next one of this member's share session."


class ShareSessionLimitReached(ProtocolError):
    """There are as many sessions as the broker keeps."""

    code = ErrorCode.SHARE_SESSION_LIMIT_REACHED

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return f"This broker keeps {self.limit} share sessions (group.share.max.share.sessions), and has as many."


class Fetched:
    """One partition in a session."""

    __slots__ = ("is_news", "was_known")

    def __init__(self, *, is_news: bool, was_known: bool) -> None:
        self.is_news = is_news
        """Whether the member is answered about it even where there is nothing to say."""
        self.was_known = was_known
        """Whether there was such a topic when it was added."""


class ShareSession:
    """One member's."""

    __slots__ = ("connection", "epoch", "group_id", "is_open", "member_id", "partitions")

    def __init__(self, group_id: str, member_id: str, connection: Connection) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.connection = connection
        self.epoch = 1
        """Of the next request."""
        self.is_open = True
        self.partitions: dict[Place, Fetched] = {}


class ShareSessions:
    """All of a broker."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, str], ShareSession] = {}
        self._by_connection: dict[Connection, dict[ShareSession, None]] = {}
        """Those that are open, by who has begun them: mostly one each."""
        self._members: dict[str, int] = {}
        """Sessions by group."""

    def __len__(self) -> int:
        return len(self._sessions)

    def find(self, group_id: str, member_id: str) -> ShareSession:
        """The member's session. Raises ShareSessionNotFound."""
        session = self._sessions.get((group_id, member_id))
        if session is None:
            raise ShareSessionNotFound
        return session

    def begin(self, group_id: str, member_id: str, connection: Connection, *, sessions_max: int) -> ShareSession:
        """A new session, in the place of the member's last one. Raises ShareSessionLimitReached."""
        was = self._sessions.get((group_id, member_id))
        if was is not None:
            self.close(was)
        if len(self._sessions) >= sessions_max:
            raise ShareSessionLimitReached(sessions_max)
        session = ShareSession(group_id, member_id, connection)
        self._sessions[group_id, member_id] = session
        self._by_connection.setdefault(connection, {})[session] = None
        self._members[group_id] = self._members.get(group_id, 0) + 1
        return session

    def go_on(self, group_id: str, member_id: str, epoch: int) -> ShareSession:
        """The session, whose request this is. Raises ShareSessionNotFound, InvalidShareSessionEpoch."""
        session = self.find(group_id, member_id)
        if session.epoch != epoch:
            raise InvalidShareSessionEpoch
        session.epoch = 1 if epoch == EPOCH_MAX else epoch + 1
        return session

    def close(self, session: ShareSession) -> None:
        """The session is over."""
        if not session.is_open:
            return
        session.is_open = False
        del self._sessions[session.group_id, session.member_id]
        of_connection = self._by_connection[session.connection]
        del of_connection[session]
        if not of_connection:
            del self._by_connection[session.connection]
        left = self._members.get(session.group_id, 0) - 1
        if left > 0:
            self._members[session.group_id] = left
        else:
            self._members.pop(session.group_id, None)

    def of(self, connection: Connection) -> list[ShareSession]:
        """The open sessions that were begun on this connection."""
        return list(self._by_connection.get(connection, ()))

    def is_read(self, group_id: str) -> bool:
        """Whether any member of the group has a session."""
        return group_id in self._members


def update(
    session: ShareSession, added: Iterable[tuple[Place, bool]], forgotten: Iterable[Place], *, is_new: bool
) -> None:
    """Take in which partitions a request names and forgets; of each added one, whether there is such a topic."""
    partitions = session.partitions
    for place, was_known in added:
        if place not in partitions:
            partitions[place] = Fetched(is_news=not is_new, was_known=was_known)
    for place in forgotten:
        partitions.pop(place, None)
