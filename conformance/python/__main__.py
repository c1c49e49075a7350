"""`python -m conformance.python CLIENT BOOTSTRAP NAME SCENARIO…`: one of the three clients as a driver."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version

from conformance.drive import drive
from conformance.python.scenarios import Scenarios
from tests.clients.adapters import CLIENTS


def main(client: str, bootstrap: str, name: str, *wanted: str) -> None:
    logging.disable(logging.WARNING)
    kind = next(each for each in CLIENTS if each.name == client)
    drive(version(client), Scenarios(kind, bootstrap, name).table(), wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
