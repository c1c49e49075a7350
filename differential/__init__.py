"""One scenario, two brokers: Apache Kafka 4.3.1 and Drave must see to it that a client sees the same.

    scenarios/k01_fetch.py ──▶ stage ──▶ Kafka ──▶ observations ──▶ recordings/k01_fetch.json
                                   └───▶ Drave ──▶ observations ──▶ compared, less differences

A scenario is a function that asks the broker of its stage. Every answer is an observation, without what differs by
nature: ids, ports, names, clocks. `python -m differential` runs both brokers; the tests run Drave alone, against
what Kafka was seen to do when the recordings were made.

The law: a difference that `differences` does not give a reason for is a failure, and so is a reason without its
difference.
"""
