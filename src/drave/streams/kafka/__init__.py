"""The way to a real cluster, on librdkafka.

    transport.py   the Transport that the engine is given: the parts below, put together
    consuming.py   the consumer in the app's group: whose places are whose, records, ends
    producing.py   the producer: with a transaction for each commit, or with acknowledgements only
    changelogs.py  consumers without a group, which read changelogs up to where they are decided
    patience.py    what is waited for and for how long when brokers are away

Anything that speaks Kafka's protocol will do; Drave is one of them.
"""
