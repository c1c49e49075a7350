"""Drave and Apache Kafka side by side: `python -m bench`, or `make bench`.

    brokers.py     a broker as a process: start it, measure it, stop it, kill it
    reference.py   where Apache Kafka's jars come from
    topics.py      clients with their defaults, and topics for one row
    frames.py      requests encoded by hand, and how their replies are read
    wire.py        a connection that speaks in such frames

    small.py       many clients that each wait for their reply
    many.py        a thousand partitions written at once
    bulk.py        one client that sends and reads as fast as it can, with each codec
    stream.py      the same without a client library: what the broker can do
    catchup.py     reading all while writes go on
    latency.py     from produce to consume, record by record
    tail.py        the slowest of small requests, at an even rate
    rebalance.py   a group of fifty that one joins or leaves
    connections.py a thousand connections
    recovery.py    a start after kill -9

    row.py         what a row is
    rows.py        what is measured, in which order
    meter.py       whose processor time it takes: the broker's or the bench's
    report.py      the tables, and the JSON file beside them
    picture.py     the picture

Speed is a ratio measured in one run, never an absolute number: both brokers are warmed, the rows are taken in turn,
the order alternates, and what is printed is the median of several rounds.
"""
