"""RocksDB is an extra: without it, its tests are skipped."""

from __future__ import annotations

import importlib.util

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("rocksdict") is None:
        for item in items:
            if item.get_closest_marker("rocksdb"):
                item.add_marker(pytest.mark.skip(reason="rocksdict is not installed"))
