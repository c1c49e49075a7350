"""What the processes of an app tell each other, and how often."""

from __future__ import annotations

import msgspec

from drave.streams.instances import ALIVE_S, GONE_S, PROGRESS_S, Announcer, Directory, Instance
from drave.streams.state import TaskId
from drave.streams.testing.cluster import StoredRecord

RIDES = TaskId("rides", 0)


def told(directory: Directory, name: str, now_s: float = 0.0, *, gone: bool = False, **said: object) -> None:
    value = None if gone else msgspec.json.encode(Instance(**said))
    directory.hear(StoredRecord(("app-instances", 0), 0, name.encode(), value, 0, ()), now_s)


def test_who_claimed_a_task_last_is_asked_first_and_copies_come_last():
    directory = Directory()
    told(directory, "old", address="old:1", tasks={"rides-0": {}})
    told(directory, "copy", address="copy:1", copies=("rides-0",))
    told(directory, "mute", tasks={"rides-0": {}})
    told(directory, "new", address="new:1", tasks={"rides-0": {}, "rides-1": {}})
    assert directory.holders("rides-0", copies=False) == ["new:1", "old:1"]
    assert directory.holders("rides-0", copies=True) == ["new:1", "old:1", "copy:1"]
    assert directory.owners() == {"rides-0": "new", "rides-1": "new"}
    told(directory, "new", gone=True)
    assert directory.holders("rides-0", copies=False) == ["old:1"]
    assert directory.holders("rides-1", copies=True) == []


def test_who_has_said_nothing_for_long_is_gone_but_its_tasks_are_still_its_own():
    directory = Directory()
    told(directory, "quiet", 0.0, tasks={"rides-0": {}})
    told(directory, "busy", GONE_S - 1)
    assert directory.alive(GONE_S - 1) == ["busy", "quiet"]
    assert directory.alive(GONE_S) == ["busy"]
    assert directory.owners() == {"rides-0": "quiet"}


def announcer() -> Announcer:
    return Announcer("app", "app-w1", "here:7", again_s=ALIVE_S)


def said(found: tuple[tuple[str, bytes, bytes | None], ...]) -> Instance | None:
    if not found:
        return None
    ((topic, name, value),) = found
    assert (topic, name) == ("app-instances", b"app-w1")
    return msgspec.json.decode(value or b"", type=Instance)


def test_what_is_new_is_said_at_once_how_far_tables_are_each_second_and_the_same_again_each_ten():
    one = announcer()
    first = said(one.news({RIDES: {"zones": 1}}, [], 0.0))
    assert first == Instance("here:7", {"rides-0": {"zones": 1}})
    one.committed()
    assert not one.news({RIDES: {"zones": 2}}, [], PROGRESS_S - 0.1)
    assert said(one.news({RIDES: {"zones": 2}}, [], PROGRESS_S))
    one.committed()
    assert not one.news({RIDES: {"zones": 2}}, [], ALIVE_S)
    assert said(one.news({RIDES: {"zones": 2}}, [], ALIVE_S + PROGRESS_S))
    one.committed()
    copies = said(one.news({RIDES: {"zones": 2}}, [TaskId("rides", 1)], ALIVE_S + PROGRESS_S))
    assert copies is not None
    assert copies.copies == ("rides-1",)


def test_what_was_not_committed_was_not_said():
    one = announcer()
    assert one.news({RIDES: {}}, [], 0.0)
    assert one.news({RIDES: {}}, [], 0.1)
    one.committed()
    assert not one.news({RIDES: {}}, [], 0.2)


def test_a_farewell_is_the_last_word_of_who_has_said_anything():
    silent, one = announcer(), announcer()
    assert silent.farewell() == ()
    one.news({}, [], 0.0)
    one.committed()
    assert one.farewell() == (("app-instances", b"app-w1", None),)
    assert one.news({RIDES: {}}, [], 100.0) == ()
