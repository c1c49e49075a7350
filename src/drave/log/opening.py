"""Opening the logs of a broker: what a start has to look at, and no more.

    after a clean stop    recovery-points, and the names of the partitions' folders
    after a crash         those, the journal, and every partition that was written since its recovery point

Nothing is served before the new recovery points are durable; only they let the journal begin anew. Every partition's
leader epoch rises at an unclean start, so that clients notice where a log was cut.

A folder whose topic id the catalog does not know is never touched: it is reported. One whose topic was deleted goes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from drave.log.files import remove_tree
from drave.log.recovery import PartitionRecovery, Recovered
from drave.model.clock import Clock
from drave.model.ids import TopicId
from drave.model.log_config import LogConfig
from drave.store.disk import Disk, read_whole
from drave.store.journal import GENERATIONS_APART, LOG_START, Entry, read_journal
from drave.store.names import DELETE, METADATA, STRAY, decode_metadata, doomed_name, partition_folder, partition_of
from drave.store.recovery_points import RecoveryPoint, read_recovery_points, write_recovery_points

logger = logging.getLogger("drave.log")

Key = tuple[TopicId, int]


class TopicLike(Protocol):
    """What the logs have to know of a topic."""

    @property
    def name(self) -> str: ...

    @property
    def topic_id(self) -> TopicId: ...

    @property
    def partitions(self) -> int: ...

    @property
    def config(self) -> LogConfig: ...


class Folders(NamedTuple):
    """Where everything of one broker lies."""

    root: Path
    node: Path
    journal: Path
    topics: Path

    @classmethod
    def under(cls, root: Path, node_id: int) -> Folders:
        node = root / "nodes" / str(node_id)
        return cls(root, node, node / "journal", root / "topics")


@dataclass(slots=True)
class OpenReport:
    """What a start found and did."""

    clean: bool = True
    """Whether the last stop was one, or there was none."""
    partitions: int = 0
    """Partitions that have files."""
    recovered: int = 0
    """Those that had to be looked into."""
    truncated_bytes: int = 0
    """Bytes behind the last good batch, of all partitions: nobody was told that they were written."""
    replayed_batches: int = 0
    """Batches that the segments lacked and the journal had."""
    ignored_entries: int = 0
    """Journal entries of partitions that the catalog does not know."""
    strangers: list[Path] = field(default_factory=list)
    """Folders that are not this catalog's. They stay as they are."""
    missing: list[str] = field(default_factory=list)
    """Partitions whose files were there at the last stop and are gone."""
    removed: int = 0
    """Folders of deleted topics that were removed."""
    seconds: float = 0.0


class Opening:
    """One start. `run` gives the points of all partitions with files, and the journal's first generation."""

    def __init__(
        self,
        disk: Disk,
        clock: Clock,
        folders: Folders,
        topics: Iterable[TopicLike],
        tombstones: Iterable[TopicId],
        *,
        adopting: TopicId | None = None,
    ) -> None:
        self._disk = disk
        self._clock = clock
        self._folders = folders
        self._topics = {topic.topic_id: topic for topic in topics}
        self._ids = {topic.name: topic.topic_id for topic in self._topics.values()}
        self._tombstones = frozenset(tombstones)
        self._adopting = adopting
        self._all_known = False
        """Whether each partition of ours that was ever checkpointed has a point."""
        self._points: dict[Key, RecoveryPoint] = {}
        self._obsolete: list[Path] = []
        self.epoch_floor = 0
        self.report = OpenReport()

    def run(self) -> tuple[dict[Key, RecoveryPoint], int]:
        began = self._clock.monotonic()
        self._make_folders()
        saved = read_recovery_points(self._disk, self._folders.node)
        before: Mapping[Key, RecoveryPoint] = saved.points if saved is not None else {}
        generation = saved.generation if saved is not None else 0
        self.epoch_floor = saved.epoch_floor if saved is not None else 0
        known = {key: point for key, point in before.items() if self._knows(key)}
        present = self._look_at_folders(known)
        entries: dict[Key, list[Entry]] = {}
        highest = 0
        if saved is None or not saved.clean:
            self._all_known = saved is not None
            found, highest = read_journal(self._disk, self._folders.journal, since=generation)
            entries = self._by_partition(found)
            self.report.clean = saved is None and not (highest or present)
            if not self.report.clean:
                self.epoch_floor += 1
            for key in dict.fromkeys([*known, *present, *entries]):
                self._recover(key, known.get(key), entries.get(key, []))
            self._disk.sync_folder(self._folders.topics)
        else:
            self._take_over(known, present)
        generation = max(generation, highest) + GENERATIONS_APART
        write_recovery_points(
            self._disk,
            self._folders.node,
            generation=generation,
            clean=False,
            epoch_floor=self.epoch_floor,
            points=[point.encode() for point in self._points.values()],
        )
        for path in self._obsolete:
            self._disk.unlink(path)
        self.report.partitions = len(self._points)
        self.report.seconds = self._clock.monotonic() - began
        self._tell()
        return self._points, generation

    def _make_folders(self) -> None:
        disk, folders = self._disk, self._folders
        for folder in (folders.journal, folders.topics):
            disk.make_folder(folder)
        if not disk.exists(folders.node / "recovery-points"):
            for folder in (folders.node, folders.node.parent, folders.root, folders.root.parent):
                disk.sync_folder(folder)

    # -- folders

    def _knows(self, key: Key) -> bool:
        topic = self._topics.get(key[0])
        return topic is not None and 0 <= key[1] < topic.partitions

    def _look_at_folders(self, known: Mapping[Key, RecoveryPoint]) -> dict[Key, None]:
        """The known partitions that have a folder. Those that have a point are not looked into."""
        present: dict[Key, None] = {}
        for name in sorted(self._disk.list_folder(self._folders.topics)):
            folder = self._folders.topics / name
            if name.endswith(DELETE):
                self._remove(folder)
                continue
            place = partition_of(name)
            topic_id = self._ids.get(place[0]) if place is not None else None
            key = (topic_id, place[1]) if topic_id is not None and place is not None else None
            if key is not None and key in known:  # it was that topic's at the last checkpoint
                present[key] = None
                continue
            owner = decode_metadata(read_whole(self._disk, folder / METADATA)) if place is not None else None
            if owner is not None and owner in self._tombstones:
                doomed = folder.with_name(doomed_name(name, owner))
                self._disk.rename(folder, doomed)
                self._remove(doomed)
            elif key is not None and self._knows(key) and owner in (None, key[0]):
                present[key] = None  # without an owner, recovery finds out whether it is only half made
            else:
                self.report.strangers.append(folder)
        self._tell_of_strangers()
        return present

    def _tell_of_strangers(self) -> None:
        """One line for each topic that they might be of."""
        names = [folder.name for folder in self.report.strangers if not folder.name.endswith(STRAY)]
        topics = Counter(place[0] if (place := partition_of(name)) is not None else None for name in names)
        for topic, count in topics.items():
            if topic is None:
                logger.warning("%s: what is no partition's folder (%d) is left as it is", self._folders.topics, count)
            else:
                logger.warning(
                    "%s: folders of %s that belong to no topic of this broker (%d) are left as they are; "
                    "`drave topic adopt %s` takes them in",
                    self._folders.topics,
                    topic,
                    count,
                    topic,
                )

    def _remove(self, folder: Path) -> None:
        remove_tree(self._disk, folder)
        self.report.removed += 1

    # -- partitions

    def _by_partition(self, entries: Iterable[Entry]) -> dict[Key, list[Entry]]:
        found: dict[Key, list[Entry]] = {}
        for entry in entries:
            key = entry.topic_id, entry.partition
            if self._knows(key):
                found.setdefault(key, []).append(entry)
            elif entry.topic_id not in self._tombstones and entry.kind != LOG_START:
                self.report.ignored_entries += 1
        return found

    def _recover(self, key: Key, point: RecoveryPoint | None, entries: list[Entry]) -> None:
        topic = self._topics[key[0]]
        folder = partition_folder(self._folders.topics, topic.name, key[1])
        recovery = PartitionRecovery(
            self._disk,
            folder,
            key[0],
            key[1],
            topic.config,
            point,
            entries,
            epoch_floor=self.epoch_floor,
            now_ms=self._clock.wall_ms(),
            may_be_compacted=key[0] == self._adopting or not self._all_known,
        )
        recovered = recovery.run()
        if recovered is not None:
            self._enter(key, recovered)

    def _enter(self, key: Key, recovered: Recovered) -> None:
        self._points[key] = recovered.point
        self._obsolete.extend(recovered.obsolete)
        self.report.recovered += recovered.looked_into
        self.report.truncated_bytes += recovered.truncated_bytes
        self.report.replayed_batches += recovered.replayed_batches

    def _take_over(self, known: Mapping[Key, RecoveryPoint], present: Mapping[Key, None]) -> None:
        """After a clean stop the points are the partitions; only folders that came since have to be read."""
        for key, point in known.items():
            if key not in present and point.size_bytes:
                self.report.missing.append(f"{self._topics[key[0]].name}-{key[1]}")
                self._recover(key, point, [])
            else:
                self._points[key] = point
        for key in present:
            if key not in known:
                self._recover(key, None, [])
                self._disk.sync_folder(self._folders.topics)

    def _tell(self) -> None:
        report = self.report
        if report.missing:
            logger.error("the files of %s are gone; they go on, empty, where they ended", ", ".join(report.missing))
        if report.ignored_entries:
            logger.error(
                "the journal holds %d entries of partitions that the catalog does not know; they are lost",
                report.ignored_entries,
            )
        if not report.clean:
            logger.info(
                "recovered %d of %d partitions in %.3f s: %d batches from the journal, %d bytes cut",
                report.recovered,
                report.partitions,
                report.seconds,
                report.replayed_batches,
                report.truncated_bytes,
            )
