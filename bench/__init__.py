"""Drave and Apache Kafka side by side: `python -m bench`, or `make bench`.

    brokers.py   a broker as a process: start it, measure it, stop it, kill it
    reference.py where Apache Kafka's jars come from
    frames.py    the few requests the load generator sends, encoded by hand
    small.py     many clients that each wait for their reply
    bulk.py      one client that sends and reads as fast as it can
    latency.py   from produce to consume, record by record
    rows.py      what is measured, in which order
    report.py    the table, and the JSON file beside it

Speed is a ratio measured in one run, never an absolute number: both brokers are warmed, the rows are taken in turn,
the order alternates, and what is printed is the median of several rounds.
"""
