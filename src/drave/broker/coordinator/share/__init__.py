"""Share groups (KIP-932): consumers that take records from the same partitions, each record to one of them at a time.

    members ──→ group ──→ who reads which partitions          records in `__consumer_offsets`
                  │
                  └─ initialize, summarize, delete ──→ state    how far each share-partition is (`__share_group_state`)

The group knows its members and which partitions they are to read. What becomes of each record is not its business.
"""
