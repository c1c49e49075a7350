"""`drave produce` and `drave consume`: what goes in comes out."""

from __future__ import annotations

import json
import signal

import pytest
from click.testing import CliRunner

from drave.cli import main
from drave.testing import Broker

TRIPS = """pickup,zone
2019-03-23 20:21:09,Soho
2019-03-04 16:11:55,
2019-03-10 01:23:59,Harlem
"""


def test_lines_are_records_and_come_out_as_lines(drave, name):
    sent = drave(f"produce {name}", stdin="hello\n\nworld\r\nlast", idempotent=True)
    assert sent.stdout == ""
    assert sent.stderr.startswith(f"4 records sent to {name}")
    assert drave(f"consume {name} --from-beginning").stdout == "hello\n\nworld\nlast\n"


def test_bytes_that_are_no_text_pass_unchanged(drave, name):
    drave(f"produce {name}", stdin=b"\xff\xfe\x00\n")
    assert drave(f"consume {name} --from-beginning").stdout_bytes == b"\xff\xfe\x00\n"


def test_keys_come_from_an_option_or_from_the_line(drave, name):
    drave(f"produce {name} --key k --header a=1 --header b=2=3", stdin="v\n")
    drave(f"produce {name} --key-separator", r"\t", stdin="Soho\t7\t8\n")
    out = drave(f"consume {name} --from-beginning --template", r"{key}|{value}|{headers}").stdout
    assert out == "k|v|a=1,b=2=3\nSoho|7\t8|\n"


def test_a_line_without_the_separator_ends_it_and_what_came_before_is_sent(drave, name):
    drave(f"topic create {name}")
    result = drave(f"produce {name} --key-separator :", stdin="a:1\nb:2\nc\nd:4\n", code=1)
    assert result.stderr == f"2 records sent to {name} before it ended\ndrave: line 3: no ':' between key and value\n"
    assert drave(f"consume {name} --from-beginning").stdout == "1\n2\n"


def test_records_as_json_can_be_sent_on_to_another_topic(drave, name):
    drave(f"topic create {name} --config retention.ms=-1")
    drave(f"topic create {name}-copy --config retention.ms=-1")
    lines = '{"key": "k", "value": null, "headers": [["h", "x"]], "timestamp": 1700000000000}\n{"value": {"a": 1}}\n'
    summary = json.loads(drave(f"produce {name} --json", stdin=lines).stdout)
    assert (summary["topic"], summary["records"]) == (name, 2)
    first = drave(f"consume {name} --from-beginning --json").stdout
    drave(f"produce {name}-copy --json", stdin=first)
    second = drave(f"consume {name}-copy --from-beginning --json").stdout
    assert second == first.replace(f'"{name}"', f'"{name}-copy"')
    assert json.loads(first.splitlines()[0]) == {
        "topic": name,
        "partition": 0,
        "offset": 0,
        "timestamp": 1_700_000_000_000,
        "key": "k",
        "value": None,
        "headers": [["h", "x"]],
    }


def test_a_line_that_is_no_record_is_named(drave, name):
    result = drave(f"produce {name} --json", stdin='{"value": 1}\noops\n', code=1)
    assert "drave: line 2: not JSON" in result.stderr


def test_a_recording_is_sent_in_time_order_with_its_own_timestamps(drave, name, tmp_path):
    path = tmp_path / "trips.csv"
    path.write_text(TRIPS)
    drave(f"topic create {name} --config retention.ms=-1")
    sent = drave(f"produce {name} {path} --key zone --time pickup --json", idempotent=True)
    assert json.loads(sent.stdout)["records"] == 3
    assert "retention" not in sent.stderr
    out = drave(f"consume {name} --from-beginning --template", "{time} {key} {value}").stdout
    assert out.splitlines() == [
        '2019-03-04T16:11:55.000Z null {"pickup":"2019-03-04 16:11:55","zone":null}',
        '2019-03-10T01:23:59.000Z Harlem {"pickup":"2019-03-10 01:23:59","zone":"Harlem"}',
        '2019-03-23T20:21:09.000Z Soho {"pickup":"2019-03-23 20:21:09","zone":"Soho"}',
    ]


def test_old_data_for_a_topic_that_would_delete_it_is_remarked_on(drave, name, tmp_path):
    path = tmp_path / "trips.csv"
    path.write_text(TRIPS)
    drave(f"topic create {name}")
    sent = drave(f"produce {name} {path} --time pickup")
    assert f"Note: {name} keeps records for 7 days" in sent.stderr


def test_a_recording_with_a_speed_takes_its_own_time_divided_by_it(drave, name, tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"at": 1700000000}\n{"at": 1700000300}\n')
    sent = drave(f"produce {name} {path} --time at --speed 1000 --json")
    assert json.loads(sent.stdout)["seconds"] >= 0.3


def test_a_record_that_the_broker_refuses_is_one_sentence(drave, name):
    drave(f"topic create {name} --config max.message.bytes=1000")
    result = drave(f"produce {name}", stdin="x" * 5000 + "\n", code=1)
    assert f"drave: cannot send to {name}: " in result.stderr
    drave(f"produce {name} --partition 7", stdin="x\n", code=4)


def test_a_start_can_be_an_offset_a_time_or_counted_from_the_end(drave, name):
    lines = "".join(f'{{"value": "{n}", "timestamp": {1_700_000_000_000 + n * 1000}}}\n' for n in range(10))
    drave(f"topic create {name} --config retention.ms=-1")
    drave(f"produce {name} --json", stdin=lines)
    assert drave(f"consume {name} --offset 7").stdout == "7\n8\n9\n"
    assert drave(f"consume {name} --offset -2").stdout == "8\n9\n"
    assert drave(f"consume {name} --offset -99 --max 1").stdout == "0\n"
    assert drave(f"consume {name} --from-time 2023-11-14T22:13:26").stdout == "6\n7\n8\n9\n"
    assert drave(f"consume {name} --from-time 1700000999").stdout == ""
    assert drave(f"consume {name} --no-follow").stdout == ""
    result = drave(f"consume {name} --offset 11", code=1)
    assert result.stderr == f"drave: offset 11 of {name}-0 is outside 0..10\n"


def test_one_partition_can_be_read_alone(drave, name):
    drave(f"topic create {name} --partitions 2")
    for partition in (0, 1):
        drave(f"produce {name} --partition {partition}", stdin=f"in {partition}\n")
    assert drave(f"consume {name} --partition 1 --offset 0").stdout == "in 1\n"
    assert sorted(drave(f"consume {name} --from-beginning").stdout.splitlines()) == ["in 0", "in 1"]
    drave(f"consume {name} --partition 2 --from-beginning", code=4)


def test_several_topics_are_read_together(drave, name):
    drave(f"produce {name}-a", stdin="a\n")
    drave(f"produce {name}-b", stdin="b\n")
    out = drave(f"consume {name}-a {name}-b --from-beginning --template", "{topic} {value}").stdout
    assert sorted(out.splitlines()) == [f"{name}-a a", f"{name}-b b"]


def test_a_topic_that_does_not_exist_is_not_made_by_asking(drave, name):
    drave(f"consume {name} --from-beginning", code=4)
    assert name not in drave("topic list").stdout


def test_a_group_goes_on_where_it_was(drave, name):
    drave(f"produce {name}", stdin="a\nb\nc\n")
    assert drave(f"consume {name} --group {name} --from-beginning --max 2").stdout == "a\nb\n"
    assert drave(f"consume {name} --group {name} --from-beginning").stdout == "c\n"
    drave(f"produce {name}", stdin="d\n")
    assert drave(f"consume {name} --group {name} --no-follow").stdout == "d\n"


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_client_properties_reach_the_client(drave, name, codec):
    lines = "".join(f"{n} la drave\n" for n in range(500))
    drave(f"produce {name} --set compression.type={codec}", stdin=lines)
    assert drave(f"consume {name} --from-beginning").stdout == lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_following_ends_quietly_when_it_is_told_to(drave, name, kafka, started, number):
    drave(f"produce {name}", stdin="a\n")
    line = f"consume {name} --from-beginning --follow --group {name} --bootstrap {kafka}"
    with started(*line.split()) as process:
        assert process.stdout.readline() == "a\n"
        process.send_signal(number)
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0
    assert drave(f"consume {name} --group {name} --no-follow").stdout == ""  # what was printed is committed


def test_a_reader_that_goes_away_ends_it_quietly(drave, name, kafka, started):
    drave(f"produce {name}", stdin="la drave\n" * 50_000)
    with started("consume", name, "--from-beginning", "--bootstrap", kafka) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_who_follows_is_told_once_when_the_broker_goes_and_once_when_it_is_back(tmp_path, started):
    with Broker(tmp_path) as broker:
        send_to(broker, "rides", "a")
        with started("consume", "rides", "--from-beginning", "--follow", "--bootstrap", broker.bootstrap) as process:
            assert process.stdout.readline() == "a\n"
            broker.stop()
            assert process.stderr.readline() == "No broker answers; waiting for one. Ctrl-C ends.\n"
            broker.start()
            assert process.stderr.readline() == "A broker answers again.\n"
            send_to(broker, "rides", "b")
            assert process.stdout.readline() == "b\n"
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60) == ("", "")


def send_to(broker, topic, line):
    command = ["produce", topic, "--bootstrap", broker.bootstrap, "--set", "acks=all"]
    assert CliRunner().invoke(main, command, input=f"{line}\n").exit_code == 0
