"""What quotas may be stored: checked against what Apache Kafka 4.3.1 answers."""

from __future__ import annotations

import math

import pytest

from drave.model.errors import ErrorCode, Refused
from drave.model.quotas import canonical_address, check_quota, entity_of

USER = (("user", "ann"),)
IP = (("ip", "::1"),)


def test_an_entity_is_the_same_in_whatever_order_it_is_written():
    parts = [("user", None), ("client-id", "app")]
    assert entity_of(parts) == entity_of(parts[::-1]) == (("client-id", "app"), ("user", None))


@pytest.mark.parametrize("address", [None, "127.0.0.1", "::1"])
def test_an_address_or_the_default_of_all_may_have_a_quota(address):
    assert entity_of([("ip", address)]) == (("ip", address),)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([], "needs a user"),
        ([("group", "g")], "no quotas for 'group'"),
        ([("", "g")], "no quotas for ''"),
        ([("user", "")], "empty name"),
        ([("user", "a"), ("user", "b")], "two of one kind"),
        ([("user", "a"), ("ip", "::1")], "no user or client id"),
        ([("ip", "localhost")], "no IP address"),
    ],
)
def test_what_is_no_entity_is_named(parts, why):
    with pytest.raises(Refused, match=why) as refusal:
        entity_of(parts)
    assert refusal.value.code == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    ("entity", "key", "value"),
    [
        (USER, "producer_byte_rate", 1),
        (USER, "consumer_byte_rate", 2.0**63),
        (USER, "request_percentage", 1e-9),
        (USER, "controller_mutation_rate", math.inf),
        (IP, "connection_creation_rate", 2.0**31 - 1),
    ],
)
def test_what_a_quota_may_be(entity, key, value):
    check_quota(entity, key, value)


@pytest.mark.parametrize(
    ("entity", "key", "value", "why"),
    [
        (USER, "producer_byte_rate", 0, "greater than 0"),
        (USER, "producer_byte_rate", -1, "greater than 0"),
        (USER, "producer_byte_rate", 1.5, "whole number"),
        (USER, "producer_byte_rate", math.inf, "at most"),
        (USER, "request_percentage", math.nan, "greater than 0"),
        (USER, "connection_creation_rate", 1, "no quota of user"),
        (USER, "colour", 1, "'colour'"),
        (IP, "producer_byte_rate", 1, "no quota of ip"),
        (IP, "connection_creation_rate", 2.0**31, "at most 2147483647"),
    ],
)
def test_what_a_quota_may_not_be(entity, key, value, why):
    with pytest.raises(Refused, match=why) as refusal:
        check_quota(entity, key, value)
    assert refusal.value.code == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("127.1", None),
        ("localhost", None),
    ],
)
def test_an_address_has_one_form(text, form):
    assert canonical_address(text) == form
