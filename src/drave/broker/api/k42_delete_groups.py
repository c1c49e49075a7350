"""DeleteGroups: groups without members go, with all that they have committed."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.coordinator.runtime import gathered
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k42_delete_groups import DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse


def delete_groups(broker: Broker, context: Context, request: DeleteGroupsRequest) -> Any:
    """Delete the groups that can be deleted; a group that is named twice is deleted once."""
    answers = [_delete(broker, group_id) for group_id in dict.fromkeys(request.groups_names)]
    return gathered(answers, _together)


def _delete(broker: Broker, group_id: str) -> Any:
    return broker.groups.submit(
        group_id,
        lambda shard, token, now_ms: shard.delete_group(group_id, token),
        lambda code: DeleteGroupsResponse(results=[DeletableGroupResult(group_id=group_id, error_code=code)]),
    )


def _together(answers: list[DeleteGroupsResponse]) -> DeleteGroupsResponse:
    results = [result for answer in answers for result in answer.results]
    for result in results:
        if result.error_code == ErrorCode.NON_EMPTY_GROUP:
            result.error_message = f"Group {result.group_id} has members."
        elif result.error_code == ErrorCode.GROUP_ID_NOT_FOUND:
            result.error_message = f"Group {result.group_id} not found."
    return DeleteGroupsResponse(results=results)
