"""The long run that looks for lost data: `python -m torture --seeds N --kills M`, or `make torture`.

power cuts   tests/log/test_power_cuts.py, with more seeds: the fault layer drops, tears and reorders what was not
             synced, and the log must open again with all that it acknowledged
simulation   simulation/: a whole broker and its clients on a virtual clock, network and disk, judged by what they saw
kill -9      kills.py: a real broker process, killed at moments drawn from a seed while real clients load it
             history.py: what the clients were told, and the judge of it; knows no broker and no client
streams.py   a stream app, killed with its broker
shares.py    members of a share group, killed with their broker; deliveries.py judges what they were given

producers ──acknowledged──┐
groups ──committed, seen──┼──> History ──> violations     (an empty list, or the run failed)
a reader at the end ──────┘
"""
