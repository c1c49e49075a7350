"""A ride-sharing service on Drave Streams: `make demo`, or `python -m examples.rides`.

                 ┌─ requests ──┬─▶ pricing    learns demand and fares     ─▶ forecasts, fares, quotes ─┐
    city ────────┼─ trips ─────┤                                                                       │
    phones, cars └─ positions ─┼─▶ locations  newest place of each car   ─▶ cars ────────────────────┼─▶ web ─▶ browser
                               └─▶ dashboard  riders per zone, rates     ─▶ riders, rates ───────────┘

model.py      the events, and the topics that they lie in
geography.py  zones on a map
city.py       riders with wishes and cars that fulfil them: what the phones publish
recorded.py   the same riders, taken from a file of real trips
pricing.py, locations.py, dashboard.py    three stream apps: each a page, each a process
view.py       what is known of the city by who reads the results
web.py        the page, and where phones ask for cars
parts.py      the processes: start, watch, end, kill
verify.py     the proof: everything is killed while trips are replayed, and the results are exact
"""
