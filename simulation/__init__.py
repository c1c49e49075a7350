"""The whole broker, simulated: `python -m simulation SEED` repeats one run exactly.

seed ─▶ plan ─▶ world, clients, troubles ─▶ history ─▶ laws ─▶ findings

    loop.py       asyncio on virtual time           disk.py, machine.py   a broker's lives on a disk that forgets
    network.py    connections that break            plan.py, nemesis.py   what a seed does to them
    world.py      all of it in one place            trace.py              what happened, and its digest
    clients/      who talks to the broker           workload.py           which of them a seed has
    history.py    what they were told               laws/, checker.py     what must be true of it
    run.py        one seed                          faults.py, hunt.py    mistakes that must be found
"""
