"""Classic groups: members who join in rounds and share out the work themselves (KIP-62 and what came after it).

kinds.py          what the parts below pass to one another
members.py        who is in a group
subscription.py   the one thing that is read in a member's metadata
group.py          the rounds of one group
requests.py       what members and tools ask
"""
