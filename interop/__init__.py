"""Programs that were written for Kafka, run on Drave and killed, and the judge of what they wrote: `make interop`.

    conformance/    each client does each thing once
    torture/        a broker is killed under clients that we wrote
    interop/        whole programs, as their users run them, are killed together with the broker

    words.py         Kafka Streams counts words under exactly_once_v2
    copier.py        TransactionalMessageCopier of Kafka's system tests
    smoke.py         StreamsSmokeTest of Kafka's system tests, which judges itself
    flink.py         Flink and its Kafka connector, with an exactly-once sink
    connect.py       Kafka Connect, distributed, with an exactly-once source
    mirror.py        MirrorMaker 2, with an exactly-once source
    transactions.py  the tool that finds and ends hanging transactions

    plays.py         their list
    stage.py         what each is run on: a broker of its own, a seed, and what befalls whom
    programs.py      jars and processes; kafka/ and flink/ have the pom.xml and the few classes that are ours
    text.py          the lines that are counted
    numbers.py       the numbers that are copied
    reading.py       a reader that follows what is committed through every death, and one that reads it all at the end
    verdicts.py      the laws: counted, copied, carried, unchanged
    page.py          docs/interop.md

What falls next is drawn from a seed, and when it falls from the progress of what is committed, never from the clock: so
a slow machine gives a slower run, not another one.
"""
