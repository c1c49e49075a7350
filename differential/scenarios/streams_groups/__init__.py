"""Streams groups (KIP-1071): heartbeats, topologies and their topics, tasks, offsets, and what tools see of them.

Apache Kafka makes internal topics after it has answered, and Drave before: where they matter, it is waited until they
are there, or they are made beforehand.
"""
