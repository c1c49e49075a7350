"""What members say of records that they hold, in ShareFetch and in ShareAcknowledge alike.

    batches of a partition ──▶ well formed? ──▶ Sharing.acknowledge ──▶ an ErrorCode, when it is durable

An error belongs to its partition alone: of that one nothing is done, of the others everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from drave.broker.context import Pending
from drave.broker.coordinator.schemas.share_state import ShareKey
from drave.broker.coordinator.share.in_flight import Acknowledgement, AcknowledgeType
from drave.broker.core import Broker
from drave.broker.sharing.sessions import Place
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.wire.messages import k78_share_fetch, k79_share_acknowledge

MEMBER_ID_LENGTH_MAX: Final = 36
RENEWS_SINCE: Final = 2
"""KIP-1222."""

Batches = Sequence[k78_share_fetch.AcknowledgementBatch] | Sequence[k79_share_acknowledge.AcknowledgementBatch]


class Member(NamedTuple):
    """Who speaks."""

    group_id: str
    member_id: str


class Said(NamedTuple):
    """What is answered for one partition."""

    code: ErrorCode
    message: str | None = None


DONE: Final = Said(ErrorCode.NONE)


def check_member(group_id: str | None, member_id: str | None) -> Member:
    """Who speaks. Raises Refused when that is nobody."""
    if group_id is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "The request names no group.")
    if not member_id or len(member_id) > MEMBER_ID_LENGTH_MAX:
        raise Refused(
            ErrorCode.INVALID_REQUEST, f"A member id has 1 to {MEMBER_ID_LENGTH_MAX} characters, not {member_id!r:.60}."
        )
    return Member(group_id, member_id)


def acknowledge(
    broker: Broker, member: Member, said: Mapping[Place, Batches], *, types_max: int, is_renew: bool
) -> dict[Place, Said | Pending]:
    """Take a member's word for what it holds in each partition; a Pending is completed with an ErrorCode."""
    answers: dict[Place, Said | Pending] = {}
    empty: list[Place] = []
    for place, batches in said.items():
        try:
            topic = broker.topic_by_id(place.topic_id)
            _check(batches, types_max=types_max, is_renew=is_renew)
            broker.partition(topic, place.partition)
            if batches:
                answers[place] = _acknowledge(broker, member, place, batches)
            else:
                empty.append(place)
        except ProtocolError as error:
            answers[place] = Said(error.code, str(error))
    if any(isinstance(answer, Pending) or answer.code is ErrorCode.NONE for answer in answers.values()):
        answers.update((place, DONE) for place in empty)
    return answers


def _acknowledge(broker: Broker, member: Member, place: Place, batches: Batches) -> Said | Pending:
    answer = broker.sharing.acknowledge(
        ShareKey(member.group_id, *place),
        member.member_id,
        [Acknowledgement(each.first_offset, each.last_offset, each.acknowledge_types) for each in batches],
    )
    return answer if isinstance(answer, Pending) else said(answer)


def said(code: ErrorCode) -> Said:
    """What is answered once it is known whether it is durable."""
    if code is ErrorCode.NONE:
        return DONE
    return Said(code, "What became of the records could not be written down; they may be delivered once more.")


def _check(batches: Batches, *, types_max: int, is_renew: bool) -> None:
    """Raises Refused when they are not well formed."""
    before = -1
    for batch in batches:
        first, last, types = batch.first_offset, batch.last_offset, batch.acknowledge_types
        where = f"offsets {first} to {last}"
        if first > last or first < before:
            raise Refused(ErrorCode.INVALID_REQUEST, f"Acknowledged are {where}, after {before}: they must rise.")
        if not types or (len(types) > 1 and last - first != len(types) - 1):
            raise Refused(
                ErrorCode.INVALID_REQUEST, f"Of {where} {len(types)} things are said: one of all, or one of each."
            )
        if min(types) < AcknowledgeType.GAP or max(types) > types_max:
            raise Refused(ErrorCode.INVALID_REQUEST, f"Of {where} something is said that is not 0 to {types_max}.")
        if not is_renew and AcknowledgeType.RENEW in types:
            raise Refused(ErrorCode.INVALID_REQUEST, f"Of {where} locks are renewed in a request that renews none.")
        before = last


def types_max(api_version: int) -> int:
    """The highest number for what can be said."""
    return AcknowledgeType.RENEW if api_version >= RENEWS_SINCE else AcknowledgeType.REJECT
