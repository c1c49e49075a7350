"""DescribeUserScramCredentials: checked against what Apache Kafka 4.3.1 answers where nobody logs in."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k50_describe_user_scram_credentials import DescribeUserScramCredentialsRequest, UserName


@pytest.mark.parametrize(
    ("users", "codes"),
    [
        (None, {}),
        ([], {}),
        (["ann"], {"ann": ErrorCode.RESOURCE_NOT_FOUND}),
        (["ann", "bob", "ann"], {"ann": ErrorCode.DUPLICATE_RESOURCE, "bob": ErrorCode.RESOURCE_NOT_FOUND}),
    ],
)
async def test_nobody_has_credentials(see, users, codes):
    asked = None if users is None else [UserName(name=name) for name in users]
    response = await see(DescribeUserScramCredentialsRequest(users=asked))
    assert response.error_code == 0
    assert {result.user: result.error_code for result in response.results} == codes
    assert all(result.error_message and not result.credential_infos for result in response.results)
