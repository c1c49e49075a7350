"""Two brokers' observations of one case, side by side: each place where they are not the same.

    ("Produce", {"responses": [{"name": "a", "partition_responses": [{"index": 0, "error_code": "X"}]}]})
    is  1.Produce.responses.a.partition_responses.0.error_code = X

A place is said by the step's number, what was asked, and the fields on the way; items of lists go by their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from differential.observation import Json
from differential.stage import Step

ABSENT: Final = "nothing"
"""What is said of a field that has its default, and of what is not there."""

_LABELS: Final = ("name", "topic", "topic_name", "topic_id", "group_id", "resource_name", "key", "member_id", "feature")
_NUMBERS: Final = ("index", "partition_index", "partition", "partition_id", "node_id", "broker_id", "api_key")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place of one case where the brokers differ."""

    case: str
    place: str
    kafka: Json
    drave: Json

    def __str__(self) -> str:
        return f"{self.place}: Kafka {self.kafka!r}, Drave {self.drave!r}"


def differences(case: str, kafka: Sequence[Step], drave: Sequence[Step]) -> list[Difference]:
    """Every place where the two are not the same, in the order of the steps."""
    found = []
    for number in range(max(len(kafka), len(drave))):
        ours = _places(number, drave)
        theirs = _places(number, kafka)
        found += [
            Difference(case, place, theirs.get(place, ABSENT), ours.get(place, ABSENT))
            for place in dict.fromkeys([*theirs, *ours])
            if theirs.get(place, ABSENT) != ours.get(place, ABSENT)
        ]
    return found


def _places(number: int, steps: Sequence[Step]) -> dict[str, Json]:
    if number >= len(steps):
        return {}
    label, seen = steps[number]
    return dict(_flat(f"{number + 1}.{label}", seen))


def _flat(place: str, value: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{place}.{key}", inner)
    elif isinstance(value, list) and value:
        for label, inner in zip(_item_labels(value), value, strict=True):
            yield from _flat(f"{place}.{label}", inner)
    else:
        yield place, value


def _item_labels(items: list[Json]) -> list[str]:
    """Each item's name or number; its position where those do not tell the items apart."""
    labels = [_label(item) for item in items]
    if None in labels or len(set(labels)) < len(labels):
        return [str(position) for position in range(len(items))]
    return [str(label) for label in labels]


def _label(item: Json) -> str | None:
    if not isinstance(item, dict):
        return None
    for name in _LABELS:
        if isinstance(item.get(name), str) and item[name]:
            return str(item[name]).removeprefix("id of ")
    return next((str(item[name]) for name in _NUMBERS if name in item), None)
