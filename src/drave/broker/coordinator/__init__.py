"""Coordinators: state that changes with traffic, kept as records in internal topics.

outcome.py        what a step returns: records, replies, timers, duties       ┐
group.py          what a shard asks of a group, whatever kind it is           │ pure: given requests, times
modern.py         what the groups of the new protocols have in common         │ and records, they return
exclusive.py      and those of them in which a part has one owner             │ what to do
classic/          groups whose members share out the work in rounds           │
consumer/         groups whose parts the coordinator gives out (KIP-848)      │
streams/          the same for tasks of Kafka Streams (KIP-1071)              │
share/            share groups, their state, what is in flight (KIP-932)      │
offsets.py        what one group has committed                                │
committing.py     what is asked about offsets                                 │
table.py          the groups and offsets of one shard                         │
classic_requests.py    what members of the classic protocol ask of any group  │
kinds.py          which kind of group each record is about                    │
shard.py          all groups of one partition of `__consumer_offsets`         │
refusals.py       answers that say only: not done, and why                    │
transaction.py    one transaction, and what can become of it                  │
transaction_shard.py   all of one partition of `__transaction_state`          │
loading.py        which records of a log count                                │
undecided.py      which do not count yet: those of open transactions          │
unread.py         which cannot be read, and are kept                          │
hashing.py        which partition a group lives in                            │
schemas/          the records, in Kafka's formats                             ┘
timers.py         many deadlines on one timer
partition.py      a machine and its log: append, replay, reply when durable, load, compact
runtime.py        all of them: topic, routing, expiry; what handlers call
groups.py         the group coordinator
transactions.py   the transaction coordinator
markers.py        what it writes into the partitions of a decided transaction
"""
