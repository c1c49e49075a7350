"""The thin layer over confluent-kafka (librdkafka) that the command line, the streams library and the demo share.

    connection.py  where a broker is and how to speak to it; makes producers, consumers and admin clients
    probing.py     what is spoken at an address
    topics.py      topics and their offsets
    groups.py      consumer groups: members, lag, resets
    publishing.py  sending, with a count of what arrived
    reading.py     reading, from a start to the end or for ever
    recordings.py  CSV and JSONL files as records, in time order and in their own time
    resets.py      where a group's offsets go (pure)
    times.py       moments as people write them (pure)
    errors.py      what can go wrong, one sentence each

It speaks only the protocol, so it works with any Kafka, and it loads librdkafka only when something connects.
"""
