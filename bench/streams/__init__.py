"""Stream engines side by side: `python -m bench.streams`, or `make bench-streams`.

    records.py   the input, and what every engine must make of it
    loading.py   the input on its way into its topic
    peers.py     the engines: how each is installed and started
    measure.py   one run: rate, processor time, and whether the output is right
    latency.py   how long results take at half the rate
    report.py    JSON, tables; picture.py draws
    apps/        the same four jobs, as a user of each engine would write them

    pass         every record goes on as it is
    map          records above a fare, with another value
    count        records of each zone in windows of ten seconds of event time
    join         records with the row of a table for their zone

One broker, the same records for all, one process for each engine. A run counts only if its output is the reference's.
"""
