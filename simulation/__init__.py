"""The whole broker, simulated: `python -m simulation SEED` repeats one run exactly.

seed ─▶ plan ─▶ world, clients, troubles ─▶ history ─▶ laws ─▶ findings

    loop.py       asyncio on virtual time           disk.py, machine.py   a broker's lives on a disk that forgets
    network.py    connections that break            plan.py, nemesis.py   what a seed does to them
    world.py      all of it in one place            aim.py                the moments for it
    trace.py      what happened, and its digest     workload.py           which clients a seed has
    clients/      who talks to the broker           laws/, checker.py     what must be true of it
    history.py    what they were told               faults.py, hunt.py    mistakes that must be found
    run.py        one seed
"""
