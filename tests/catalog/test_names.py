"""Kafka's rules for what a topic may be called."""

from __future__ import annotations

import pytest

from drave.catalog.names import InvalidTopic, check_topic_name, collision_key
from drave.model.errors import ErrorCode


@pytest.mark.parametrize("name", ["a", "Rides-2019.03_x", "__consumer_offsets", "...", "-", "x" * 249])
def test_a_legal_name_passes(name):
    check_topic_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "x" * 250, "a b", "a/b", "é", "a\n", "a\0", "٣"])
def test_an_illegal_name_is_refused(name):
    with pytest.raises(InvalidTopic) as refusal:
        check_topic_name(name)
    assert refusal.value.code is ErrorCode.INVALID_TOPIC_EXCEPTION
    assert len(str(refusal.value)) < 200


def test_names_that_differ_in_dots_and_underscores_only_collide():
    assert collision_key("a.b_c") == collision_key("a_b.c")
    assert collision_key("a.b") != collision_key("a-b")
