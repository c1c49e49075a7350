"""`drave topic`."""

from __future__ import annotations

import json


def test_a_topic_is_created_listed_described_and_deleted(drave, name):
    drave(f"topic create {name} --partitions 3 --config retention.ms=-1")
    assert any(line.split() == [name, "3", "0"] for line in drave("topic list").stdout.splitlines())
    drave(f"produce {name} --partition 1", stdin="a\nb\n")
    described = drave(f"topic describe {name}").stdout
    assert "retention.ms=-1" in described
    assert [line.split()[:3] for line in described.splitlines()[-3:]] == [
        ["0", "0", "0"],
        ["1", "0", "2"],
        ["2", "0", "0"],
    ]
    drave(f"topic delete {name}")
    assert name not in drave("topic list").stdout


def test_json_says_the_same_to_programs(drave, name):
    assert json.loads(drave(f"topic create {name} --json").stdout) == {"topic": name, "created": True}
    assert json.loads(drave(f"topic create {name} --json --if-not-exists").stdout) == {"topic": name, "created": False}
    assert {"topic": name, "partitions": 1, "records": 0} in json.loads(drave("topic list --json").stdout)
    described = json.loads(drave(f"topic describe {name} --json").stdout)
    assert (described["name"], len(described["topic_id"]), described["configs"]) == (name, 22, {})
    assert [(each["partition"], each["start"], each["end"]) for each in described["partitions"]] == [(0, 0, 0)]
    assert json.loads(drave(f"topic delete {name} --json").stdout) == {"deleted": [name]}


def test_configs_are_altered_and_go_back_to_the_broker_s_default(drave, name):
    drave(f"topic create {name} --config segment.ms=7000")
    altered = drave(f"topic alter {name} --config retention.ms=5000 --config cleanup.policy=compact,delete")
    assert altered.stdout == f"Altered topic {name}: retention.ms=5000, cleanup.policy=compact,delete.\n"
    assert configs_of(drave, name) == {
        "cleanup.policy": "compact,delete",
        "retention.ms": "5000",
        "segment.ms": "7000",
    }
    line = f"topic alter {name} --config retention.ms=6000 --delete-config cleanup.policy --delete-config segment.ms"
    assert json.loads(drave(f"{line} --json").stdout) == {
        "topic": name,
        "set": {"retention.ms": "6000"},
        "deleted": ["cleanup.policy", "segment.ms"],
    }
    assert configs_of(drave, name) == {"retention.ms": "6000"}


def test_what_cannot_be_altered_is_one_sentence_and_changes_nothing(drave, name):
    drave(f"topic create {name}")
    refused = drave(f"topic alter {name} --config segment.ms=7000 --config retention.ms=soon", code=1)
    assert refused.stderr.startswith(f"drave: cannot alter topic {name}: ")
    assert refused.stderr.count("\n") == 1
    assert configs_of(drave, name) == {}
    drave(f"topic alter {name}", code=2)
    drave(f"topic alter {name}-gone --config retention.ms=5", code=4)


def configs_of(drave, name):
    return json.loads(drave(f"topic describe {name} --json").stdout)["configs"]


def test_a_topic_that_is_there_cannot_be_created_again(drave, name):
    drave(f"topic create {name}")
    result = drave(f"topic create {name}", code=1)
    assert result.stderr.startswith(f"drave: cannot create topic {name}: ")
    assert "exists" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_name_that_kafka_does_not_allow_is_refused_with_its_words(drave):
    result = drave("topic create", "a b", code=1)
    assert result.stderr.startswith("drave: cannot create topic a b: ")


def test_a_topic_that_does_not_exist_is_exit_code_4_and_is_not_created(drave, name):
    result = drave(f"topic describe {name}", code=4)
    assert result.stderr == f"drave: topic {name} does not exist; `drave topic create {name}` creates it\n"
    drave(f"topic delete {name}", code=4)
    assert name not in drave("topic list").stdout


def test_kafka_s_own_topics_are_listed_when_asked_for(drave, name):
    drave(f"topic create {name}")
    drave(f"consume {name} --group {name} --no-follow")
    assert "__consumer_offsets" not in drave("topic list").stdout
    assert "__consumer_offsets" in drave("topic list --internal").stdout


def test_partitions_are_added(drave, name):
    drave(f"topic create {name} --partitions 2")
    assert drave(f"topic add-partitions {name} 1").stdout == f"Topic {name} has 3 partitions now.\n"
    added = json.loads(drave(f"topic add-partitions {name} 2 --json").stdout)
    assert added == {"topic": name, "partitions": 5, "added": 2}
    drave(f"produce {name} --partition 4", stdin="a\n")
    assert drave(f"consume {name} --from-beginning").stdout == "a\n"


def test_partitions_cannot_be_added_to_what_is_not_there_nor_less_than_one(drave, name):
    drave(f"topic add-partitions {name} 1", code=4)
    drave(f"topic create {name}")
    drave(f"topic add-partitions {name} 0", code=2)


def recorded(drave, name: str) -> None:
    """Two partitions with ten records each, a second apart."""
    drave(f"topic create {name} --partitions 2 --config retention.ms=-1")
    lines = "".join(f'{{"value": "{n}", "timestamp": {1_700_000_000_000 + n * 1000}}}\n' for n in range(10))
    for partition in range(2):
        drave(f"produce {name} --json --partition {partition}", stdin=lines)


def starts(drave, name: str) -> list[int]:
    return [each["start"] for each in json.loads(drave(f"topic describe {name} --json").stdout)["partitions"]]


def test_deleting_records_is_a_plan_until_it_is_executed(drave, name):
    recorded(drave, name)
    planned = drave(f"topic delete-records {name}:1 --before-offset 4")
    assert planned.stdout.splitlines()[-1].split() == ["1", "0", "4", "10", "4"]
    assert "Nothing has been deleted" in planned.stderr
    assert starts(drave, name) == [0, 0]
    done = json.loads(drave(f"topic delete-records {name}:1 --before-offset 4 --execute --json").stdout)
    assert done == {
        "topic": name,
        "executed": True,
        "partitions": [{"partition": 1, "start": 0, "new_start": 4, "end": 10, "records": 4}],
    }
    assert starts(drave, name) == [0, 4]


def test_records_go_before_an_offset_before_a_time_or_all(drave, name):
    recorded(drave, name)
    drave(f"topic delete-records {name} --before-time 2023-11-14T22:13:26 --execute")
    assert starts(drave, name) == [6, 6]
    drave(f"topic delete-records {name}:0 --before-offset 3 --execute")
    drave(f"topic delete-records {name}:1 --before-offset 99 --execute")
    assert starts(drave, name) == [6, 10]
    assert drave(f"consume {name} --from-beginning").stdout == "6\n7\n8\n9\n"
    drave(f"topic delete-records {name} --all --execute")
    assert starts(drave, name) == [10, 10]
    nothing = drave(f"topic delete-records {name} --all --execute").stdout
    assert nothing.splitlines()[-1].split() == ["1", "10", "10", "10", "0"]


def test_which_records_has_to_be_said_once(drave, name):
    recorded(drave, name)
    for line in ("", "--all --before-offset 1", "--before-offset -1"):
        drave(f"topic delete-records {name} {line}", code=2)
    drave(f"topic delete-records {name}:7 --all", code=4)
    drave("topic delete-records no-such-topic --all", code=4)


def test_a_broker_that_refuses_is_heard(drave, name):
    drave(f"topic create {name} --config cleanup.policy=compact")
    drave(f"produce {name} --partition 0 --json", stdin='{"key": "k", "value": "v"}\n')
    refused = drave(f"topic delete-records {name} --all --execute", code=1)
    assert refused.stderr.startswith(f"drave: cannot delete records of {name}-0: ")
