"""UpdateFeatures: Apache Kafka 4.3.1 says the same of a feature that it does not have."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k57_update_features import FeatureUpdateKey, UpdateFeaturesRequest


@pytest.mark.parametrize("version", range(3))
@pytest.mark.parametrize("level", [-1, 0, 1, 99])
async def test_a_feature_that_is_not_advertised_has_no_level_to_change(see, version, level):
    asked = [
        FeatureUpdateKey(feature=name, max_version_level=level)
        for name in ("kraft.version", "eligible.leader.replicas.version")
    ]
    response = await see(
        UpdateFeaturesRequest(feature_updates=asked, validate_only=version > 0 and level == 1), version
    )
    assert response.error_code == ErrorCode.INVALID_UPDATE_VERSION
    assert "'kraft.version'" in response.error_message
    assert response.results == []


@pytest.mark.parametrize("version", range(3))
async def test_a_feature_stays_at_the_level_that_it_has(see, version):
    """Which is the highest; to ask for that changes nothing."""

    async def update(level: int):
        asked = [FeatureUpdateKey(feature="transaction.version", max_version_level=level)]
        return await see(UpdateFeaturesRequest(feature_updates=asked), version)

    assert (await update(2)).error_code == ErrorCode.NONE
    for level in (0, 1, 3):
        assert (await update(level)).error_code == ErrorCode.INVALID_UPDATE_VERSION


@pytest.mark.parametrize("version", range(3))
async def test_nothing_asked_is_granted(see, version):
    response = await see(UpdateFeaturesRequest(feature_updates=[]), version)
    assert (response.error_code, response.error_message, response.results) == (0, None, [])
