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
