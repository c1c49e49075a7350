"""Laws about topics, and about going on: everything that was asked comes to an end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from simulation.history import NEVER, Partition, SentRecord, TopicChangeKind
from simulation.laws.facts import BEGINNING, Facts, Write, may_be
from simulation.laws.law import law

WAKING_MS: Final = 1_000
"""So long may it take, when nothing disturbs it, until a waiting Fetch is answered after there is something."""


@law
def topics_stay(facts: Facts) -> Iterator[str]:
    """A topic that was made is there, with as many partitions as it was given, until it is deleted."""
    for topic, changes in facts.changes.items():
        if facts.is_fleeting(topic):
            continue
        found = facts.ending.topics.get(topic)
        for change in changes:
            if change.kind in (TopicChangeKind.CREATE, TopicChangeKind.GROW) and change.is_done:
                if found is None:
                    yield f"{topic} is gone {change}"
                elif found.partitions < change.partitions:
                    yield f"{topic} has {found.partitions} partitions, and was given {change.partitions} {change}"


@law
def deleted_topics_are_gone(facts: Facts) -> Iterator[str]:
    """A topic that was deleted does not come back."""
    there = {found.topic_id: topic for topic, found in facts.ending.topics.items()}
    for changes in facts.changes.values():
        for change in changes:
            if change.kind is TopicChangeKind.DELETE and change.is_done and change.topic_id in there:
                yield f"{change.topic} is there, and was deleted {change}"


@law
def configs_are_what_was_set(facts: Facts) -> Iterator[str]:
    """A topic's config has the value that it was given last."""
    writes: dict[tuple[str, str], list[Write]] = defaultdict(list)
    for topic, changes in facts.changes.items():
        for change in changes:
            for name, value in change.configs.items():
                writes[topic, name].append(Write(value, change.asked, change.told if change.is_done else NEVER))
    for (topic, name), known in writes.items():
        if facts.is_fleeting(topic) or topic not in facts.ending.topics:
            continue
        value = facts.config(topic, name)
        unset = may_be(known, None, facts.ending.since, facts.ending.at)
        if not unset and not may_be(known, value, facts.ending.since, facts.ending.at):
            yield f"{name} of {topic} is {value!r}, and was set to {[each.value for each in known][-3:]}"


@law
def quotas_are_what_was_given(facts: Facts) -> Iterator[str]:
    """A client has the quota that it was given last."""
    writes: dict[tuple[str, str], list[Write]] = defaultdict(lambda: [Write(None, BEGINNING, BEGINNING)])
    for change in facts.history.quota_changes:
        told = change.told if change.is_done else NEVER
        writes[change.client_id, change.key].append(Write(change.rate, change.asked, told))
    for quota, known in writes.items():
        rate = facts.ending.quotas.get(quota)
        if not may_be(known, rate, facts.ending.since, facts.ending.at):
            yield f"{quota} is {rate}, and was set to {[each.value for each in known][-3:]}"


@law
def answered_in_calm_weather(facts: Facts) -> Iterator[str]:
    """When nothing disturbs the broker, it answers in time."""
    if facts.history.is_calm:
        for silence in facts.history.silences:
            yield f"{silence}"


@law
def waiting_readers_are_woken(facts: Facts) -> Iterator[str]:
    """When nothing disturbs the broker, a waiting Fetch is answered once there is something to read."""
    if not facts.history.is_calm:
        return
    known: dict[tuple[Partition, int], SentRecord] = {
        (sent.partition, sent.offset): sent
        for sent in facts.history.records.values()
        if sent.is_done and (sent.by_id or not facts.is_fleeting(sent.partition.topic))
    }
    for read in facts.history.reads:
        sent = known.get((read.partition, read.position))
        if read.committed_only or not read.batches or sent is None or facts.delay_ms(read.partition.topic):
            continue
        waited = read.told.ms - max(read.asked.ms, sent.told.ms)
        if waited > WAKING_MS:
            yield f"{read} was answered {waited} ms after {sent}"
