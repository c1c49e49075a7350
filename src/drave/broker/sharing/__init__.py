"""Share-partitions: records that each go to one member of a share group (KIP-932).

    ShareFetch ──────▶ session ──▶ acknowledge ──▶ acquire ──▶ reply          sessions.py, api/k78
    ShareAcknowledge ─▶ session ──▶ acknowledge ──────────────▶ reply          acknowledging.py, api/k79
                                       │              ▲
                                       ▼              │ freed: waiting fetches look again
                            sharing.py: each share-partition's InFlight, its timer, who waits for it
                                       │
                                       ▼
                            ShareStates: what became of the records, durably   coordinator/share/

A member's word counts when it is durable, and is answered then. What is given out is in memory only (KIP-932): after a
crash it is available again.
"""
