"""Laws about transactions: whole or not at all, one owner at a time, none open for ever."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from simulation.history import Partition, Read, SentRecord, Transaction
from simulation.laws.facts import Facts
from simulation.laws.law import law


def _readings(facts: Facts) -> Iterator[tuple[Read, SentRecord, Transaction]]:
    """What readers of what is committed were given of transactions."""
    for read in facts.history.reads:
        if read.committed_only:
            for batch in read.batches:
                for record in batch.records if batch.committed else ():
                    known = facts.sent(record)
                    if known is not None and known.transaction is not None:
                        yield read, known, known.transaction


@law
def committed_as_a_whole(facts: Facts) -> Iterator[str]:
    """A transaction that was committed is read with all that was acknowledged in it; if any of it is, then all."""
    seen = {known.mark for _, known, _ in _readings(facts)}
    for transaction in facts.history.transactions:
        records = facts.records_of[transaction.name]
        shown = next((each for each in records if each.mark in seen or each.mark in facts.committed_marks), None)
        if not transaction.is_committed and shown is None:
            continue
        for each in records:
            if each.is_done and each.mark not in facts.committed_marks:
                at = max(each.offset, 0)
                if not facts.may_be_gone(each, at):
                    also = "" if shown is None else f", though {shown} is"
                    yield f"{each} of {transaction} is not read as committed{also}"


@law
def aborted_is_not_read(facts: Facts) -> Iterator[str]:
    """What was aborted, or never decided, is not read as committed."""
    for read, known, transaction in _readings(facts):
        if not transaction.may_be_committed:
            yield f"{known} of {transaction} is read in {read}"
        elif transaction.asked > read.told:
            yield f"{known} is read in {read}, before its producer asked for the commit: {transaction}"


@law
def open_transactions_are_not_passed(facts: Facts) -> Iterator[str]:
    """A reader of what is committed waits before a transaction that nobody can have ended yet."""
    placed: dict[Partition, list[tuple[int, SentRecord, Transaction]]] = defaultdict(list)
    for known in facts.history.records.values():
        if known.transaction is not None and known.is_done and known.offset >= 0:
            placed[known.partition].append((known.offset, known, known.transaction))
    for read in facts.history.reads:
        if not read.committed_only:
            continue
        for offset, known, transaction in placed.get(read.partition, ()):
            if read.position <= offset < read.next_position:
                since, at_ms = facts.ended_since(transaction)
                if since > read.told and read.told.ms < at_ms - facts.history.clock_slack_ms:
                    yield f"{read} passes {known} of {transaction}"


@law
def the_fenced_write_nothing(facts: Facts) -> Iterator[str]:
    """Once a process was given a transactional id, nothing counts that an earlier one sends after that."""
    there = {record.mark for found in facts.there.values() for record in found.values()}
    for fence in facts.history.fences:
        if not fence.is_done:
            continue
        for transaction in facts.history.transactions:
            if transaction.transactional_id != fence.transactional_id or transaction.fence.told >= fence.asked:
                continue
            if transaction.is_done and transaction.asked > fence.told:
                yield f"{transaction} was ended after {fence.by} was told of epoch {fence.epoch} at {fence.told}"
            for each in facts.records_of[transaction.name]:
                if each.asked > fence.told and each.mark in there:
                    yield f"{each} is there, sent after {fence.by} was told of epoch {fence.epoch} at {fence.told}"


@law
def epochs_rise(facts: Facts) -> Iterator[str]:
    """No two processes are given the same epoch of a producer id, and later ones have higher ones."""
    given: dict[tuple[int, int], str] = {}
    for fence in facts.history.fences:
        if fence.is_done:
            other = given.setdefault((fence.producer_id, fence.epoch), fence.by)
            if other != fence.by:
                yield f"{fence.by} and {other} both have epoch {fence.epoch} of producer {fence.producer_id}"
    for fence in facts.history.fences:
        for before in facts.history.fences:
            if (
                fence.is_done
                and before.is_done
                and before.transactional_id == fence.transactional_id
                and before.producer_id == fence.producer_id
                and before.told < fence.asked
                and before.epoch >= fence.epoch
            ):
                yield f"{fence.by} was given epoch {fence.epoch}, after {before.by} had {before.epoch}"


@law
def nothing_stays_open(facts: Facts) -> Iterator[str]:
    """In the end every transaction has ended, and what is stable is everything."""
    for transactional_id in facts.ending.ongoing:
        yield f"the transaction of {transactional_id} is still open"
    for place, found in facts.ending.partitions.items():
        if found.last_stable_offset != found.high_watermark:
            yield f"{place} is stable to {found.last_stable_offset} of {found.high_watermark}"
