"""DescribeUserScramCredentials: which users may log in with SCRAM (KIP-554).

Nobody logs in to this broker, so nobody has credentials. Kafka's config tool asks when it shows the quotas of users.
"""

from __future__ import annotations

from collections import Counter

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k50_describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)


def describe_user_scram_credentials(
    broker: Broker, context: Context, request: DescribeUserScramCredentialsRequest
) -> DescribeUserScramCredentialsResponse:
    """All users, of whom there are none; or those that are asked for, none of whom is there."""
    times = Counter(user.name for user in request.users or [])
    return DescribeUserScramCredentialsResponse(
        error_message="",
        results=[
            _refused(name, ErrorCode.DUPLICATE_RESOURCE, f"The request names user {name!r} more than once.")
            if count > 1
            else _refused(name, ErrorCode.RESOURCE_NOT_FOUND, f"User {name!r} has no SCRAM credentials.")
            for name, count in times.items()
        ],
    )


def _refused(name: str, code: ErrorCode, why: str) -> DescribeUserScramCredentialsResult:
    return DescribeUserScramCredentialsResult(user=name, error_code=code, error_message=why, credential_infos=[])
