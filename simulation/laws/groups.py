"""Laws about groups: who owns what, how far they have come, and exactly once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from simulation.history import NEVER, Commit, Found, Held, Joined, Moment, Owned, Partition, Source
from simulation.laws.facts import BEGINNING, Facts, Write, in_order, may_be
from simulation.laws.law import law


@law
def owned_once(facts: Facts) -> Iterator[str]:
    """Within a generation of a group no partition belongs to two members."""
    owners: dict[tuple[str, int, str, int], Owned] = {}
    for owned in facts.history.owned:
        for topic, index in owned.partitions:
            other = owners.setdefault((owned.group, owned.generation, topic, index), owned)
            if other.member != owned.member:
                yield f"{topic}-{index} belongs to {owned.member} and to {other.member} in {owned[:2]}"


@law
def held_once(facts: Facts) -> Iterator[str]:
    """In a consumer group a partition, and in a streams group an active task with those that it reads, is given to
    nobody while another member holds it: not before that one has sent word that it stopped, and not before its session
    is over. A heartbeat of before it was given may arrive later, and says that too: the protocol cannot tell."""
    for before, after in _successions(facts):
        may_have_said_so = any(before.partition not in said for said in before.by.lost)
        over_ms = before.by.heard.ms + facts.history.session_ms
        if not may_have_said_so and after.told < before.until and after.told.ms < over_ms:
            yield (
                f"{after.partition} was given to {after.by.member} at {after.told}, while {before.by.member} held it, "
                f"which was heard from at {before.by.heard}"
            )


@law
def who_holds_it_commits(facts: Facts) -> Iterator[str]:
    """In a consumer or streams group a member commits nothing in a partition that another one was given after it;
    unless it has come back with the very epoch that it had, by which the broker, as Kafka's, cannot tell."""
    holds: dict[tuple[str, Partition], list[Held]] = defaultdict(list)
    for held in in_order(facts.history.held):
        holds[held.by.group, held.partition].append(held)
    for commit in facts.history.commits:
        if not commit.is_done or not commit.member:
            continue
        mine = BEGINNING
        for held in holds[commit.group, commit.partition]:
            if held.by.member == commit.member and held.told < commit.told:
                mine = held.told
        for held in holds[commit.group, commit.partition]:
            given_away = held.by.member != commit.member and mine < held.told < commit.asked
            if given_away and not _came_back_the_same(facts, commit, held.told):
                yield f"{commit}, after {held.by.member} was given it at {held.told}"
                break


def _came_back_the_same(facts: Facts, commit: Commit, since: Moment) -> bool:
    """Whether a member of a streams group was missed, and had the epoch of its commit again by then."""
    return any(
        each.joins and each.epoch == commit.generation and since < each.told < commit.told
        for each in facts.history.epochs
        if (each.by.group, each.by.member) == (commit.group, commit.member)
    )


def _successions(facts: Facts) -> Iterator[tuple[Held, Held]]:
    """Each hold of a partition with the later ones of other members; a static member's next process is the same."""
    holds: dict[tuple[str, Partition], list[Held]] = defaultdict(list)
    for held in in_order(facts.history.held):
        for before in holds[held.by.group, held.partition]:
            same = before.by.member == held.by.member or (
                held.by.instance is not None and before.by.instance == held.by.instance
            )
            if not same:
                yield before, held
        holds[held.by.group, held.partition].append(held)


@law
def one_member_leads(facts: Facts) -> Iterator[str]:
    """Of the members that enter a generation together, one is the leader."""
    if facts.history.crashes:
        return  # a generation that nobody was given a part of is forgotten, and its number comes again
    leaders: dict[tuple[str, int], str] = {}
    instances = {joined.group for joined in facts.history.joined if joined.member != joined.member_id}
    for joined in facts.history.joined:
        if joined.group not in instances:  # a static member's leadership goes over to its next process
            other = leaders.setdefault((joined.group, joined.generation), joined.leader)
            if other != joined.leader:
                yield f"{joined.leader} and {other} both lead {joined.group} in generation {joined.generation}"


@law
def generations_rise(facts: Facts) -> Iterator[str]:
    """Whoever asks for its part is of a generation that is not older than any that was known by then."""
    for owned in facts.history.owned:
        later = _later(facts, owned.group, owned.generation, owned.asked)
        if later is not None:
            yield f"{owned.member} was given a part of {owned.generation}, after {later.generation} was there"


@law
def past_generations_commit_nothing(facts: Facts) -> Iterator[str]:
    """A commit of a generation is refused once somebody has entered a later one."""
    for commit in facts.history.commits:
        if not commit.is_done or commit.generation < 0:
            continue
        later = _later(facts, commit.group, commit.generation, commit.asked)
        if later is not None:
            yield f"{commit}, after {later.member} was in generation {later.generation} at {later.told}"


def _later(facts: Facts, group: str, generation: int, asked: Moment) -> Joined | Owned | None:
    """Somebody who had been told of a later generation by then.

    What is told before the parts are dealt out is durable nowhere, as in Kafka; a crash may take it back.
    """
    known: list[Owned] | list[Joined] = facts.history.owned if facts.history.crashes else facts.history.joined
    return next((e for e in known if e.group == group and e.told < asked and e.generation > generation), None)


@law
def replaced_members_commit_nothing(facts: Facts) -> Iterator[str]:
    """A static member's process commits nothing after the next one has its place."""
    for commit in facts.history.commits:
        if not commit.is_done or not commit.member:
            continue
        mine = next((j for j in facts.history.joined if j.member_id == commit.member and j.member != j.member_id), None)
        if mine is None:
            continue
        for joined in facts.history.joined:
            if (
                (joined.group, joined.member) == (mine.group, mine.member)
                and joined.member_id != mine.member_id
                and mine.told < joined.asked
                and joined.told < commit.asked
                and not any(
                    again.member_id == commit.member and joined.told < again.told < commit.asked
                    for again in facts.history.joined
                )
            ):
                yield f"{commit}, after {joined.member_id} had its place at {joined.told}"
                break


@law
def stands_where_it_was_put(facts: Facts) -> Iterator[str]:
    """A group stands at the offset that was committed last; one in a transaction counts when that is committed."""
    commits: dict[tuple[str, Partition], list[Commit]] = defaultdict(list)
    for commit in facts.history.commits:
        commits[commit.group, commit.partition].append(commit)
    for found in facts.history.founds:
        places = [Write(-1, BEGINNING, BEGINNING), *_deletions(facts, found)]
        for commit in commits[found.group, found.partition]:
            places += _counts(commit, stable=found.stable)
        if not may_be(places, found.offset, found.asked, found.told):
            last = " ".join(f"{each};" for each in commits[found.group, found.partition] if each.asked < found.told)
            yield f"{found}, but what was committed is: {last}"


def _counts(commit: Commit, *, stable: bool) -> Iterator[Write]:
    """When a commit comes to count. Who does not wait for what is stable may be told what was before, for as long as a
    transaction's markers are on their way."""
    transaction = commit.transaction
    if not commit.may_have_happened:
        return
    if transaction is None:
        yield Write(commit.offset, commit.asked, commit.told if commit.is_done else NEVER)
    elif transaction.may_be_committed:
        certain = commit.is_done and transaction.is_done and stable
        yield Write(commit.offset, transaction.asked, transaction.told if certain else NEVER)


def _deletions(facts: Facts, found: Found) -> Iterator[Write]:
    for deleted in facts.history.group_deletions:
        if deleted.group == found.group and deleted.may_have_happened:
            yield Write(-1, deleted.asked, deleted.told if deleted.is_done else NEVER)


@law
def who_is_gone_is_no_member(facts: Facts) -> Iterator[str]:
    """A member that has died is one no longer when its session has timed out."""
    for group, members in facts.ending.members.items():
        if members:
            yield f"{group} still has {members} members, and all of them have ended"


@law
def nothing_is_skipped(facts: Facts) -> Iterator[str]:
    """A group has seen everything before the offset at which it stands."""
    seen: dict[tuple[str, Partition], list[tuple[int, int]]] = defaultdict(list)
    for each in facts.history.delivered:
        seen[each.group, each.partition].append((each.first, each.end))
    copying = {commit.group for commit in facts.history.commits if commit.transaction is not None}
    readers = {each.group for each in facts.history.joined} | {each.by.group for each in facts.history.held}
    readers -= copying
    for found in facts.history.founds:
        if found.group not in readers or found.offset < 0:
            continue
        position = 0
        for first, end in sorted(seen[found.group, found.partition]):
            if first <= position:
                position = max(position, end)
        if position < found.offset:
            yield f"{found}, and nobody of the group has read {position}"


@law
def exactly_once(facts: Facts) -> Iterator[str]:
    """What a copier has passed is copied once; what it has not passed is not copied."""
    ends: dict[Partition, int] = {}
    copying = {commit.group for commit in facts.history.commits if commit.transaction is not None}
    for found in facts.history.founds:
        if found.group in copying and found.stable:
            ends[found.partition] = found.offset  # the last one that was told
    copies: dict[Source, list[str]] = defaultdict(list)
    for place, records in facts.committed.items():
        for record in records.values():
            known = facts.sent(record)
            if known is not None and known.source is not None:
                copies[known.source].append(f"{known} at {record.offset} of {place}")
    for source, found_copies in copies.items():
        if len(found_copies) > 1:
            yield f"{source.offset} of {source.partition} was copied {len(found_copies)} times: {found_copies}"
        if source.offset >= ends.get(source.partition, -1):
            yield f"{found_copies[0]} is a copy of {source.offset} of {source.partition}, which was not passed"
    for place, end in ends.items():
        for offset, record in facts.committed.get(place, {}).items():
            if offset < end and Source(place, offset) not in copies:
                yield f"{record.mark} at {offset} of {place} was passed at {end}, and not copied"
