"""Consumer groups (KIP-848): members say what they want, and are told by their heartbeats what they have.

member.py        one member: what it wants, what it has, how far it has come
reconciling.py   one step of a member from what it has towards its target
assignors.py     who is to have what: `uniform` and `range`
records.py       the records that say what a group is
holdings.py      what a group consists of: members, targets, regular expressions; what the log knows of it
changing.py      a change that is being worked out: the group as it will be, and the records that make it so
leaving.py       members go
group.py         a group, with the deadlines by which members are missed
heartbeats.py    what a heartbeat says, and whether it may
requests.py      what members and tools ask
describing.py    what tools see
guests.py        members that use the classic protocol in such a group
converting.py    a classic group becomes a consumer group, and the other way
"""
