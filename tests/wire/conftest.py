"""Random messages, built from their declarations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from drave.schema.declaration import Field, fields_of
from drave.schema.types import Array, Blob, FieldType, Nested, Opaque, Scalar, Text

settings.register_profile(
    "wire",
    derandomize=not os.environ.get("EXPLORE"),
    max_examples=int(os.environ.get("WIRE_EXAMPLES", "4")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

Narrowing = Callable[[Field], st.SearchStrategy[Any] | None]
"""Says which values a field may have where not every value will do."""

TEXTS = st.sampled_from(["", "a", "zone-é", "𝄞", "x" * 126, "x" * 127, "x" * 300]) | st.text(max_size=6)
BLOBS = st.sampled_from([b"", b"\0", b"\xff" * 127, bytes(16_500)]) | st.binary(max_size=6)
SCALARS = {
    "b": st.integers(-(2**7), 2**7 - 1),
    "h": st.integers(-(2**15), 2**15 - 1),
    "i": st.integers(-(2**31), 2**31 - 1),
    "q": st.integers(-(2**63), 2**63 - 1),
    "H": st.integers(0, 2**16 - 1),
    "I": st.integers(0, 2**32 - 1),
    "d": st.floats(allow_nan=False, allow_infinity=False),
    "?": st.booleans(),
    "16s": st.just(bytes(16)) | st.binary(min_size=16, max_size=16),
}


class Messages:
    """Strategies for messages of one version."""

    def __init__(self, version: int, narrow: Callable[[type[Any], Field], Any] | None = None) -> None:
        self.version = version
        self.narrow = narrow

    def of(self, cls: type[Any]) -> st.SearchStrategy[Any]:
        return st.builds(cls, **{field.name: self.field(cls, field) for field in self.existing(cls)})

    def existing(self, cls: type[Any]) -> Iterator[Field]:
        for field in fields_of(cls):
            if field.exists_in(self.version):
                yield field

    def field(self, cls: type[Any], field: Field) -> st.SearchStrategy[Any]:
        values = self.narrow(cls, field) if self.narrow else None
        if values is None:
            values = self.value(field.type)
            if isinstance(field.type, Nested) and field.tag is not None:
                nothing = all_defaults(field.type.struct)
                values = values.filter(lambda value: value != nothing)
        if field.is_nullable_in(self.version):
            values = st.none() | values
        return st.just(field.default) | values if field.tag is not None else values

    def value(self, kind: FieldType) -> st.SearchStrategy[Any]:
        if isinstance(kind, Scalar):
            return SCALARS[kind.code]
        if isinstance(kind, Text):
            return TEXTS
        if isinstance(kind, Blob | Opaque):
            return BLOBS
        if isinstance(kind, Nested):
            return self.of(kind.struct)
        assert isinstance(kind, Array)
        few = st.lists(self.value(kind.element), max_size=2)
        if isinstance(kind.element, Scalar):
            return few | st.just([1] * 200)
        return few


def all_defaults(cls: type[Any]) -> Any:
    """The struct that a tagged field stands for where it is absent; None where it has no such."""
    if any(field.default is msgspec.NODEFAULT for field in fields_of(cls)):
        return None
    return cls()


@pytest.fixture(scope="session")
def messages() -> type[Messages]:
    return Messages


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`declared`: every class that a key declares, with each of its versions."""
    if "declared" in metafunc.fixturenames:
        from drave.wire.api import API

        cases = [
            (api.key, cls, version)
            for api in API.values()
            for cls in (api.request, api.response)
            for version in range(api.versions[0], api.versions[1] + 1)
        ]
        metafunc.parametrize("declared", cases, ids=[f"{cls.__name__}-{version}" for _, cls, version in cases])
