"""The two catalogs are one: whatever is done to both, they show and refuse the same, across restarts."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from drave.catalog.memory import MemoryCatalog
from drave.catalog.sqlite import SqliteCatalog
from drave.model.errors import DraveError
from drave.model.ids import TopicId
from drave.model.system import SystemEntropy


class OneCluster(SystemEntropy):
    """Gives both twins the same cluster id."""

    def __init__(self):
        self._first = super().topic_id()

    def topic_id(self):
        return self._first


NAMES = st.sampled_from(["a.b", "a_b", "rides", "__consumer_offsets", "no/name", ""])
PARTITIONS = st.integers(-1, 4)
CONFIGS = st.dictionaries(
    st.sampled_from(["retention.ms", "cleanup.policy", "no.such"]),
    st.sampled_from(["1", "compact", "x\0é"]),
    max_size=2,
)
TOPICS = st.integers(0, 5)
ENTITIES = st.sampled_from([(("user", None),), (("client-id", "é"), ("user", "ann")), (("ip", "::1"),)])
CHANGES = st.dictionaries(st.sampled_from(["a", "b"]), st.none() | st.floats(min_value=0.001), max_size=2)


class Twins(RuleBasedStateMachine):
    """Does everything twice, and compares."""

    @initialize()
    def open(self):
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.ids = [TopicId(bytes([number]) * 16) for number in range(1, 7)]
        entropy = OneCluster()
        self.sqlite = SqliteCatalog(self.folder / "catalog.sqlite", entropy)
        self.memory = MemoryCatalog(entropy)
        self._listen()

    def _listen(self):
        self.heard = {"sqlite": [], "memory": []}
        self.sqlite.subscribe(self.heard["sqlite"].append)
        self.memory.subscribe(self.heard["memory"].append)

    def both(self, action):
        outcomes = []
        for catalog in (self.sqlite, self.memory):
            try:
                outcomes.append(self.loop.run_until_complete(action(catalog)))
            except DraveError as refusal:
                outcomes.append((type(refusal), str(refusal)))
        assert outcomes[0] == outcomes[1]

    @rule(name=NAMES, index=TOPICS, partitions=PARTITIONS, configs=CONFIGS)
    def create(self, name, index, partitions, configs):
        self.both(lambda catalog: catalog.create_topic(name, self.ids[index], partitions, configs))

    @rule(index=TOPICS)
    def delete(self, index):
        self.both(lambda catalog: catalog.delete_topic(self.ids[index]))

    @rule(index=TOPICS)
    def forget(self, index):
        self.both(lambda catalog: catalog.forget_tombstone(self.ids[index]))

    @rule(index=TOPICS, partitions=PARTITIONS)
    def grow(self, index, partitions):
        self.both(lambda catalog: catalog.set_partitions(self.ids[index], partitions))

    @rule(index=TOPICS, configs=CONFIGS)
    def configure(self, index, configs):
        self.both(lambda catalog: catalog.alter_topic_configs(self.ids[index], lambda _: configs))

    @rule(broker=st.sampled_from([None, 1]), configs=CONFIGS)
    def configure_broker(self, broker, configs):
        self.both(lambda catalog: catalog.alter_broker_configs(broker, lambda _: configs))

    @rule(changes=st.dictionaries(ENTITIES, CHANGES, max_size=2))
    def limit(self, changes):
        self.both(lambda catalog: catalog.alter_client_quotas(changes))

    @rule(count=st.integers(1, 1000))
    def take_producer_ids(self, count):
        self.both(lambda catalog: catalog.next_producer_ids(count))

    @rule()
    def restart(self):
        self.sqlite.close()
        self.sqlite = SqliteCatalog(self.folder / "catalog.sqlite", SystemEntropy())
        self.memory = self.memory.reopened()
        self._listen()

    @invariant()
    def they_show_the_same(self):
        if not hasattr(self, "sqlite"):
            return
        assert self.sqlite.cluster_id == self.memory.cluster_id
        assert self.sqlite.version == self.memory.version
        assert self.sqlite.topics() == self.memory.topics()
        assert self.sqlite.tombstones() == self.memory.tombstones()
        assert self.sqlite.broker_configs() == self.memory.broker_configs()
        assert self.sqlite.broker_configs(1) == self.memory.broker_configs(1)
        assert self.sqlite.client_quotas() == self.memory.client_quotas()
        assert self.heard["sqlite"] == self.heard["memory"]
        for topic in self.memory.topics().values():
            assert self.sqlite.topic_by_id(topic.topic_id) == topic

    def teardown(self):
        if hasattr(self, "sqlite"):
            self.sqlite.close()
            self.loop.close()
            shutil.rmtree(self.folder)


TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
