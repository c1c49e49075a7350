"""Classic groups: members who join in rounds and share out the work themselves (KIP-62 and what came after it).

members.py        one member, and the request by which it comes
roster.py         who is in a group, and what they can agree on
subscription.py   the one thing that is read in a member's metadata
generation.py     what they have agreed on, and what the log knows of it
rounds.py         how they come to the next generation
group.py          what members ask of one group
"""
