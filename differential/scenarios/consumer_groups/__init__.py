"""Consumer groups (KIP-848): heartbeats, static members, subscriptions, offsets, and what tools see of them."""
