"""`drave group`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer


@contextmanager
def member(kafka: str, group: str, topic: str) -> Iterator[Consumer]:
    """A consumer that is in `group` and has its partitions."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "client.id": "somebody"})
    consumer.subscribe([topic])
    while not consumer.assignment():
        consumer.poll(0.05)
    try:
        yield consumer
    finally:
        consumer.close()


def consumed(drave, name: str, partitions: int = 1) -> None:
    """A topic of ten records, and a group of the same name that has read it."""
    drave(f"topic create {name} --partitions {partitions} --config retention.ms=-1")
    for partition in range(partitions):
        lines = "".join(f'{{"value": "{n}", "timestamp": {1_700_000_000_000 + n * 1000}}}\n' for n in range(10))
        drave(f"produce {name} --json --partition {partition}", stdin=lines)
    drave(f"consume {name} --group {name} --from-beginning")


def test_a_group_is_listed_and_described_with_its_lag(drave, name):
    consumed(drave, name)
    drave(f"produce {name}", stdin="more\nand more\n")
    assert any(line.split()[:2] == [name, "empty"] for line in drave("group list").stdout.splitlines())
    described = drave(f"group describe {name}").stdout.splitlines()
    assert described[0].split() == ["Group", name]
    assert described[-1].split()[:5] == [name, "0", "10", "12", "2"]
    document = json.loads(drave(f"group describe {name} --json").stdout)
    assert (document["state"], document["lag"], document["members"]) == ("empty", 2, [])
    assert document["partitions"] == [
        {"topic": name, "partition": 0, "committed": 10, "end": 12, "lag": 2, "member_id": None}
    ]


def test_members_are_shown_with_their_partitions(drave, name, kafka):
    consumed(drave, name, partitions=2)
    with member(kafka, name, name):
        document = json.loads(drave(f"group describe {name} --json").stdout)
        table = drave(f"group describe {name}").stdout
    assert document["state"] == "stable"
    (only,) = document["members"]
    assert only["client_id"] == "somebody"
    assert only["partitions"] == [{"topic": name, "partition": partition} for partition in (0, 1)]
    assert {each["member_id"] for each in document["partitions"]} == {only["member_id"]}
    assert "somebody" in table


def test_a_reset_is_a_plan_until_it_is_executed(drave, name):
    consumed(drave, name)
    planned = drave(f"group reset-offsets {name} --to-earliest")
    assert planned.stdout.splitlines()[-1].split() == [name, "0", "10", "0", "10"]
    assert "Nothing has been changed" in planned.stderr
    assert drave(f"consume {name} --group {name} --no-follow").stdout == ""
    done = json.loads(drave(f"group reset-offsets {name} --shift-by -3 --execute --json").stdout)
    assert done == {
        "group": name,
        "executed": True,
        "partitions": [{"topic": name, "partition": 0, "committed": 10, "offset": 7, "lag": 3}],
    }
    assert drave(f"consume {name} --group {name} --no-follow").stdout == "7\n8\n9\n"


def test_a_reset_goes_to_a_time_an_offset_or_the_end(drave, name):
    consumed(drave, name, partitions=2)

    def reset(line: str) -> list[int]:
        document = json.loads(drave(f"group reset-offsets {name} --execute --json {line}").stdout)
        return [each["offset"] for each in document["partitions"]]

    assert reset("--to-time 2023-11-14T22:13:26") == [6, 6]
    assert reset(f"--to-offset 4 --topic {name}:1") == [4]
    assert reset("--shift-by 1") == [7, 5]
    assert reset("--to-latest") == [10, 10]


def test_a_group_can_be_made_by_a_reset(drave, name):
    drave(f"produce {name}", stdin="a\nb\n")
    drave(f"group reset-offsets {name} --to-offset 1 --topic {name} --execute")
    assert drave(f"consume {name} --group {name} --no-follow").stdout == "b\n"


def test_a_group_with_members_is_neither_moved_nor_deleted(drave, name, kafka):
    consumed(drave, name)
    with member(kafka, name, name):
        refused = drave(f"group reset-offsets {name} --to-earliest --execute", code=1)
        assert refused.stderr == (
            f"drave: group {name} is stable: stop its members first, or they would overwrite the reset\n"
        )
        assert f"drave: cannot delete group {name}: " in drave(f"group delete {name}", code=1).stderr
    drave(f"group delete {name}")
    assert name not in drave("group list").stdout


def test_what_does_not_exist_is_exit_code_4(drave, name):
    assert drave(f"group describe {name}", code=4).stderr == f"drave: group {name} does not exist\n"
    assert "cannot delete group" in drave(f"group delete {name}", code=4).stderr
    assert "has no committed offsets" in drave(f"group reset-offsets {name} --to-earliest", code=4).stderr
    drave(f"topic create {name}")
    result = drave(f"group reset-offsets {name} --to-earliest --topic {name}:5", code=4)
    assert result.stderr == f"drave: topic {name} has no partition 5: it has 1, counted from 0\n"
