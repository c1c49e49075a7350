"""Which quota counts for a client, for whom its use counts, and that nothing is kept for ever."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.broker.quotas import NO_LIMITS, ClientQuotas, Windows
from drave.broker.quotas.clients import CLIENTS_KEPT_MAX
from drave.model.quotas import entity_of

WINDOWS = Windows(count=11, ms=1000)
PRODUCE = "producer_byte_rate"


class Stored:
    """Quotas that a test changes, and those who follow them."""

    def __init__(self, **quotas):
        self.entities = {}
        self.clients = ClientQuotas(lambda: self.entities, windows=WINDOWS, mutation_windows=WINDOWS)

    def set(self, entity, **quotas):
        self.entities = {**self.entities, entity: quotas}
        self.clients.follow()

    def remove(self, entity):
        self.entities = {each: quotas for each, quotas in self.entities.items() if each != entity}
        self.clients.follow()

    def limits_of(self, client_id):
        return self.clients.limits_of(client_id)


@pytest.fixture
def stored():
    return Stored()


def of(**parts):
    """`of(user="ann", client_id=None)`: an entity."""
    return entity_of([(kind.replace("_", "-"), name) for kind, name in parts.items()])


EIGHT = [
    of(user="ANONYMOUS", client_id="app"),
    of(user="ANONYMOUS", client_id=None),
    of(user="ANONYMOUS"),
    of(user=None, client_id="app"),
    of(user=None, client_id=None),
    of(user=None),
    of(client_id="app"),
    of(client_id=None),
]
"""Whose quotas may count for the client `app`, in Kafka's order."""

OTHERS = [of(user="ann"), of(user="ann", client_id="app"), of(client_id="web"), of(ip="127.0.0.1"), of(ip=None)]


@given(chosen=st.sets(st.sampled_from(EIGHT + OTHERS)))
def test_the_most_specific_quota_counts(chosen):
    stored = Stored()
    for entity in chosen:
        stored.set(entity, producer_byte_rate=1.0 + (EIGHT + OTHERS).index(entity))
    produce = stored.limits_of("app").produce
    counting = [entity for entity in EIGHT if entity in chosen]
    assert (produce and produce.bound) == (1.0 + EIGHT.index(counting[0]) if counting else None)


def test_each_kind_of_quota_is_looked_for_by_itself(stored):
    stored.set(of(user="ANONYMOUS", client_id="app"), producer_byte_rate=1)
    stored.set(of(client_id=None), producer_byte_rate=2, consumer_byte_rate=3, request_percentage=4)
    stored.set(of(user=None), controller_mutation_rate=5)
    limits = stored.limits_of("app")
    bounds = [meter.bound for meter in (limits.produce, limits.fetch, limits.request, limits.mutation)]
    assert bounds == [1, 3, 4, 5]


@pytest.mark.parametrize("client_id", [None, ""])
def test_a_client_without_an_id_has_its_users_quotas_only(stored, client_id):
    stored.set(of(client_id=None), producer_byte_rate=1)
    stored.set(of(user=None, client_id=None), producer_byte_rate=2)
    assert stored.limits_of(client_id) is NO_LIMITS
    stored.set(of(user=None), producer_byte_rate=3)
    assert stored.limits_of(client_id).produce.bound == 3


@pytest.mark.parametrize(
    ("entity", "is_shared"),
    [
        (of(user="ANONYMOUS"), True),
        (of(user=None), True),
        (of(user="ANONYMOUS", client_id=None), False),
        (of(user=None, client_id=None), False),
        (of(client_id=None), False),
    ],
)
def test_a_users_quota_is_for_all_its_clients_together_and_others_are_for_each(stored, entity, is_shared):
    stored.set(entity, producer_byte_rate=1)
    assert (stored.limits_of("a").produce is stored.limits_of("b").produce) is is_shared
    assert stored.limits_of("a").produce is stored.limits_of("a").produce


def test_nobody_is_limited_while_nobody_has_a_quota(stored):
    assert not stored.clients.are_set
    stored.set(of(ip=None), connection_creation_rate=1)
    assert not stored.clients.are_set
    stored.set(of(client_id="app"), producer_byte_rate=1)
    assert stored.clients.are_set
    assert stored.limits_of("web") is NO_LIMITS
    stored.remove(of(client_id="app"))
    assert not stored.clients.are_set


def test_a_change_is_told_and_counts_at_once_and_what_was_used_stays(stored):
    heard = []
    stored.clients.on_change(lambda: heard.append("change"))
    stored.set(of(client_id="app"), producer_byte_rate=1000)
    stored.limits_of("app").produce.record(10_000, 0)
    stored.set(of(client_id="app"), producer_byte_rate=500)
    assert heard == ["change"] * 2
    assert stored.limits_of("app").produce.wait_ms(0) == 10_000


def test_what_no_longer_counts_is_forgotten_and_what_still_does_is_not(stored):
    heard = []
    stored.set(of(client_id=None), producer_byte_rate=1000, controller_mutation_rate=1)
    stored.clients.on_change(lambda: heard.append("change"))
    gone, here, overdrawn = (stored.limits_of(name) for name in ("gone", "here", "overdrawn"))
    gone.produce.record(1, 0)
    here.produce.record(1, 99_000)
    overdrawn.mutation.record(1000, 0)
    stored.clients.sweep(100.0)
    assert stored.limits_of("gone").produce is not gone.produce
    assert stored.limits_of("here").produce is here.produce
    assert stored.limits_of("overdrawn").mutation is overdrawn.mutation
    assert heard == ["change"], "whoever holds a meter that is forgotten asks anew"


def test_a_flood_of_client_ids_leaves_nothing_behind(stored):
    stored.set(of(client_id=None), producer_byte_rate=1000)
    for number in range(CLIENTS_KEPT_MAX + 10):
        stored.limits_of(f"client-{number}").produce.record(1, 0)
    assert len(stored.clients._clients) <= CLIENTS_KEPT_MAX
    stored.clients.sweep(100.0)
    assert (stored.clients._rates, stored.clients._clients) == ({}, {})


def test_kinds_of_quotas_do_not_share_what_was_used(stored):
    keys = ("producer_byte_rate", "consumer_byte_rate", "request_percentage")
    stored.set(of(client_id="app"), **dict.fromkeys(keys, 1))
    limits = stored.limits_of("app")
    meters = [limits.produce, limits.fetch, limits.request]
    assert all(one is not other for one, other in itertools.combinations(meters, 2))
