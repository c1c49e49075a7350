"""Files that nobody needs any more, on their way out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drave.log.files import remove_tree
from drave.model.ids import TopicId

if TYPE_CHECKING:
    from drave.log.flusher import Flusher
    from drave.log.partition import PartitionLog


class FileRemoval:
    """Files of a partition that nobody needs any more."""

    def __init__(self, flusher: Flusher, log: PartitionLog, paths: list[Path]) -> None:
        self._flusher = flusher
        self._log = log
        self._paths = paths
        self._error: OSError | None = None
        self.folder: Path | None = log.folder

    def run(self) -> None:
        try:
            for path in self._paths:
                self._flusher.disk.unlink(path)
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        self._flusher.chore_done()
        if self._error is not None and not self._log.removed:
            self._flusher.postpone(self._error)
            self._flusher.remove(FileRemoval(self._flusher, self._log, self._paths))


class FolderRemoval:
    """The folder of a deleted partition, under the name that no topic can have."""

    def __init__(self, flusher: Flusher, folder: Path, topic_id: TopicId) -> None:
        self._flusher = flusher
        self._error: OSError | None = None
        self.folder: Path | None = folder
        self.topic_id = topic_id

    def run(self) -> None:
        assert self.folder is not None, "it was given one"
        try:
            remove_tree(self._flusher.disk, self.folder)
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        self._flusher.chore_done()
        if self._error is not None and self.folder is not None:
            self._flusher.postpone(self._error)
            self._flusher.remove(FolderRemoval(self._flusher, self.folder, self.topic_id))
