"""How files and folders are named, and what says whose they are. All as in Kafka.

    topics/rides-3/                          topic and partition; the name is only the folder's
        partition.metadata                   the topic id: this says whose the folder is
        00000000000000000400.log             a segment, by its base offset
        00000000000000000400.index           its offset index
        00000000000000000400.timeindex       its time index
        00000000000000000400.txnindex     its aborted transactions
        00000000000000000712.snapshot        the producers as they were at offset 712
        leader-epoch-checkpoint              where each leader epoch began
    topics/rides-3.kDqI…-delete/             a deleted partition on its way out

A rewritten segment ends in `.cleaned` while it is made, in `.swap` on its way in, in `.deleted` on its way out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from drave.model.ids import TopicId, topic_id_from_text, topic_id_text

LOG: Final = ".log"
INDEX: Final = ".index"
TIME_INDEX: Final = ".timeindex"
TRANSACTION_INDEX: Final = ".txnindex"
SNAPSHOT: Final = ".snapshot"
CLEANED: Final = ".cleaned"
SWAP: Final = ".swap"
LEFTOVERS: Final = (CLEANED, ".deleted", ".tmp")
DELETE: Final = "-delete"
STRAY: Final = "-stray"

METADATA: Final = "partition.metadata"
LEADER_EPOCHS: Final = "leader-epoch-checkpoint"


def offset_name(offset: int, suffix: str) -> str:
    """The name of a file that belongs to an offset: 20 digits."""
    return f"{offset:020d}{suffix}"


def offset_of(name: str, suffix: str) -> int | None:
    """The offset in a name that `offset_name` makes; None for any other name."""
    digits = name.removesuffix(suffix)
    if len(digits) != 20 or digits == name or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits)


def partition_folder(topics: Path, topic: str, index: int) -> Path:
    return topics / f"{topic}-{index}"


def partition_of(folder_name: str) -> tuple[str, int] | None:
    """Topic and partition in a folder's name; None for a name that no partition has."""
    topic, dash, digits = folder_name.rpartition("-")
    if not dash or not topic or not (digits.isascii() and digits.isdigit()):
        return None
    return topic, int(digits)


def doomed_name(folder_name: str, topic_id: TopicId) -> str:
    """What a partition's folder is called once its topic is deleted, so that a new topic can have its old name."""
    return f"{folder_name}.{topic_id_text(topic_id)}{DELETE}"


def encode_metadata(topic_id: TopicId) -> bytes:
    return f"version: 0\ntopic_id: {topic_id_text(topic_id)}".encode()


def decode_metadata(data: bytes | None) -> TopicId | None:
    """The topic id in a `partition.metadata`; None when there is none, or a crash left only a part of it."""
    for line in (data or b"").decode(errors="replace").splitlines():
        key, _, text = line.partition(":")
        if key.strip() == "topic_id":
            try:
                return topic_id_from_text(text.strip())
            except ValueError:
                return None
    return None
