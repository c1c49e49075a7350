"""Share-partitions (KIP-932): what members of a share group are given, what they may say of it, and their sessions."""
