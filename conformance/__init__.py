"""Real clients against a broker, and the table of what they were seen to do: `make conformance`.

    contract.py   the scenarios, the records they write, and the lines a driver prints
    clients.py    the clients: how each driver is built and started, or why it cannot be here
    building.py   tools that are needed, jars and classes
    run.py        one driver at work, and its outcomes
    witness.py    a second look at what it wrote, batch by batch, without any client library
    table.py      docs/conformance.md

    drive.py      the loop of the drivers that are written in Python
    processes.py  programs that are clients
    python/       confluent-kafka, aiokafka and kafka-python: one set of scenarios, three adapters
    kcat/         kcat, as a person types it
    tools/        the command-line tools of Apache Kafka
    go/           franz-go, sarama and kafka-go: one set of scenarios, three adapters; go.sum
    java/         the Java client
    kafkajs/      kafkajs; package-lock.json, which names no address

A driver uses its client as that client's users do. It is told a bootstrap server, a name that nothing else on the
broker has, and scenarios. It prints its client's version, then one line of JSON for each scenario:

    {"version": "1.2.3"}
    {"scenario": "gzip", "ok": true, "detail": ""}

`ok` is null where the client has no way to do it, and `detail` says why. Every scenario is the same for all clients:

    topics          create one of three partitions; it is listed, described, refused the second time, deleted, gone
    records         write and read back keys, values and headers, present, empty and null, and one large record
    gzip … zstd     the same under each codec
    acks            0 to partition 0, 1 to partition 1, all to partition 2
    idempotent      with enable.idempotence
    time            the offset of a timestamp, of one between two, of one past the end
    group           a member reads and commits; the next one goes on exactly there
    rebalance       two members share; one leaves; the other has all and goes on where both had committed
    cooperative     a second member comes, and the first gives up only what the second gets (KIP-429)
    static          a member with an instance id comes back, and nobody is disturbed (KIP-345)
    new-groups      `rebalance` once more with group.protocol=consumer (KIP-848)
    share-groups    two share a queue, and accept, release, reject and renew; a third has only what is new (KIP-932)
    groups          list, describe, refuse to delete what has members, delete
    offsets         an administrator sets, lists and deletes the offsets of a group
    partitions      grow a topic, refuse to shrink it, use the new partition
    configs         describe, change, refuse a value that makes no sense, go back to the default
    delete-records  up to an offset; reading begins there
    log-dirs        the bytes of each partition

What is written is the same too (`contract.py`), so that a driver knows every record that it has to read, and the
witness knows every record that has to be there.
"""
