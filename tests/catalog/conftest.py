"""Both catalogs under one fixture: what holds for one holds for the other."""

from __future__ import annotations

import random
import uuid

import pytest

from drave.catalog.memory import MemoryCatalog
from drave.catalog.sqlite import SqliteCatalog
from drave.model.ids import TopicId


class SeededEntropy:
    """Chance that a test can repeat."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def topic_id(self) -> TopicId:
        return TopicId(b"\x01" + self._random.randbytes(15))

    def uuid_text(self) -> str:
        return str(uuid.UUID(bytes=self._random.randbytes(16)))

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class Place:
    """Where a catalog of one kind lies, and how it is opened, closed and opened again."""

    def __init__(self, kind, folder, entropy):
        self.kind = kind
        self.entropy = entropy
        self.path = folder / "catalog.sqlite"
        self.catalog = self._fresh()

    def _fresh(self):
        if self.kind == "sqlite":
            return SqliteCatalog(self.path, self.entropy)
        return MemoryCatalog(self.entropy)

    def reopen(self):
        self.catalog.close()
        self.catalog = self._fresh() if self.kind == "sqlite" else self.catalog.reopened()
        return self.catalog


@pytest.fixture
def entropy():
    return SeededEntropy()


@pytest.fixture(params=["memory", "sqlite"])
def place(request, tmp_path, entropy):
    place = Place(request.param, tmp_path, entropy)
    yield place
    place.catalog.close()


@pytest.fixture
def catalog(place):
    return place.catalog
