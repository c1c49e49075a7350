"""The whole broker, simulated: `python -m simulation SEED` repeats one run exactly.

    loop.py       asyncio on virtual time           disk.py, machine.py   a broker's lives on a disk that forgets
    network.py    connections that break            nemesis.py, plan.py   what a seed does to them
    clients/      who talks to the broker           history.py            what they were told
    world.py      all of it in one place            checker.py            the laws that it must obey
"""
