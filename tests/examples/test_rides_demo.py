"""`make demo` as a person meets it: it says where the page is, and Ctrl-C ends everything."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("river", reason="examples/rides needs its own libraries: make demo brings them")
pytest.importorskip("sse_starlette", reason="examples/rides needs its own libraries: make demo brings them")

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_one_command_starts_the_service_and_ctrl_c_ends_all_of_it() -> None:
    command = [sys.executable, "-m", "examples.rides", "--port", "8642"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as demo:
        assert demo.stdout is not None
        line = demo.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+) .*broker 127\.0\.0\.1:(\d+)", line)
        assert found, line
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/", timeout=100) as page:
            assert b"<title>Rides" in page.read()
        demo.send_signal(signal.SIGINT)
        last = demo.stdout.read()
        assert demo.wait() == 0
    assert re.search(r"\d+ zones, \d+ cars", last)
    for port in map(int, found.groups()):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
