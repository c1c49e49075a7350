"""Streams groups (KIP-1071): Kafka Streams applications whose tasks the broker assigns.

topology.py     what an application runs: subtopologies, and the topics between them
configuring.py  that beside the topics that there are: numbers of partitions, topics to create
tasks.py        tasks, and who holds which
assignor.py     who is to run what
member.py       a member on its way from what it has to what it is to have
group.py        the group: epochs, targets, what the log knows of it
heartbeats.py   one heartbeat: what it says, what it changes, what it is answered
requests.py     what members and tools ask
limits.py       what settings and a group's configs say
describing.py   for people, and for interactive queries
"""
