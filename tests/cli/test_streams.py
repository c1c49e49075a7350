"""`drave streams`: apps that run, fail and are drawn, as somebody at a terminal sees them."""

from __future__ import annotations

import signal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from drave.cli import main

APP = """
from dataclasses import dataclass

from drave.streams import App


@dataclass
class Ride:
    zone: str
    fare: int


app = App({name!r})
rides = app.topic({name!r}, Ride, partitions=1)


@app.stream(rides, to={name!r} + "-shares")
def share(ride: Ride) -> int:
    return 100 // ride.fare
"""


@pytest.fixture
def app(tmp_path: Path, name: str) -> str:
    path = tmp_path / "app.py"
    path.write_text(APP.format(name=name))
    return str(path)


def test_a_topology_is_shown_as_text_mermaid_or_svg(app, name):
    def shown(*form: str) -> str:
        result = CliRunner().invoke(main, ["streams", "topology", app, *form])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "share  [map]" in shown()
    assert shown("--format", "mermaid").startswith("flowchart LR\n")
    assert ElementTree.fromstring(shown("--format", "svg")).tag.endswith("svg")


def test_a_file_that_is_not_there_is_one_sentence():
    result = CliRunner().invoke(main, ["streams", "run", "nowhere.py"])
    assert (result.exit_code, result.stderr) == (1, "drave: there is no file nowhere.py\n")


def test_without_a_broker_it_is_exit_code_3_when_nobody_has_come(app, tmp_path, monkeypatch):
    monkeypatch.setattr("drave.streams.kafka.patience.OUTAGE_S_MAX", 0.0)
    result = CliRunner().invoke(main, ["streams", "run", app, "--bootstrap", "localhost:1", "--state", str(tmp_path)])
    assert result.exit_code == 3
    assert "no broker answers at localhost:1" in result.stderr


def test_metrics_of_several_workers_are_refused(app):
    result = CliRunner().invoke(main, ["streams", "run", app, "--workers", "2", "--metrics", "9100"])
    assert result.exit_code == 2
    assert "without --workers" in result.stderr


@pytest.mark.parametrize("serve", [("--serve", "7000"), ("--serve", "0", "--advertise", "city.example:7000")])
def test_several_workers_cannot_answer_at_one_port(app, serve):
    result = CliRunner().invoke(main, ["streams", "run", app, "--workers", "2", *serve])
    assert result.exit_code == 2
    assert "--serve 0 gives each its own" in result.stderr


def test_who_listens_everywhere_has_to_say_where_others_reach_it(app, kafka, tmp_path):
    command = ["streams", "run", app, "--bootstrap", kafka, "--state", str(tmp_path), "--serve", "0.0.0.0:0"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "nobody can dial 0.0.0.0:" in result.stderr
    assert "--advertise" in result.stderr


@pytest.mark.slow
def test_a_step_that_fails_is_loud_names_the_record_and_commits_nothing_of_it(
    app, name, kafka, drave, started, tmp_path
):
    state = str(tmp_path / "state")
    drave(f"topic create {name}")
    drave(f"produce {name}", stdin='{"zone": "soho", "fare": 5}\n{"zone": "soho", "fare": 0}\n')
    with started("streams", "run", app, "--state", state, DRAVE_BOOTSTRAP=kafka) as process:
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert f"the step share failed, at offset 1 of {name}-0: ZeroDivisionError" in said
    assert "return 100 // ride.fare" in said, "its author wants the line"
    described = drave(f"group describe {name}").output
    assert "Lag" in described


@pytest.mark.slow
def test_sigterm_commits_and_says_so(app, name, kafka, drave, started, tmp_path):
    drave(f"topic create {name}")
    drave(f"produce {name}", stdin='{"zone": "soho", "fare": 5}\n')
    with started("streams", "run", app, "--state", str(tmp_path / "state"), DRAVE_BOOTSTRAP=kafka) as process:
        assert any("is running" in line for line in process.stderr)
        assert drave(f"consume {name}-shares --from-beginning --follow --max 1").output == "20\n"
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert "everything that it did is committed" in said
