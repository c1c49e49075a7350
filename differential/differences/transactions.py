"""Producers with a memory: their ids and sequences, transactions, and offsets in them."""

from __future__ import annotations

from typing import Final

from differential.differences.usual import (
    IN_PRODUCE,
    duplicates_have_their_own_time,
    refusals_say_why,
    refused_batches_have_no_place,
)
from differential.judging import Reason

REASONS: Final = (
    # -- producers
    refusals_say_why("k22_init_producer_id/*", place="*Produce.*.error_message", readme=IN_PRODUCE),
    refused_batches_have_no_place("k22_init_producer_id/*"),
    duplicates_have_their_own_time("k22_init_producer_id/*", kafka=1_600_000_000_000),
    # -- transactions
    *(
        reason
        for cases in ("transactions/*", "interleaved_transactions/*", "programs/transactions")
        for reason in (
            refusals_say_why(cases, place="*Produce.*.error_message", readme=IN_PRODUCE),
            refused_batches_have_no_place(cases),
        )
    ),
    *(
        duplicates_have_their_own_time(cases, kafka=1_600_000_000_000)
        for cases in ("transactions/*", "programs/transactions")
    ),
    *(
        Reason(
            cases=f"transactional_offsets/{case}",
            place=f"{step}.OffsetFetch.*",
            why="an offset that a later record has overtaken can never count, so nobody needs to wait for it",
            readme="an offset in a transaction that was committed anew",
        )
        for case, step in (
            ("a_commit_without_a_transaction_overtakes_one_that_waits", 3),
            ("two_transactions_that_commit_the_same_offset(order=ba)", 2),
        )
    ),
    Reason(
        cases="transactions/records_deleted_under_an_open_transaction",
        place="2.ListOffsets.*.offset",
        kafka=0,
        drave=1,
        why="what is below the log's start is nobody's to wait for",
        readme="last stable offset after records",
    ),
)
