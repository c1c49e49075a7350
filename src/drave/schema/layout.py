"""What one version of a struct looks like on the wire.

| field | field | … | tag count | tag, size, field | …        the last two in flexible versions only
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drave.schema.declaration import Field, fields_of
from drave.schema.types import Array, FieldType, Nested, Opaque, Scalar, Text


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of one struct in one version, and those that it lacks."""

    present: tuple[Field, ...]
    tagged: tuple[Field, ...]
    absent: tuple[Field, ...]

    @classmethod
    def of(cls, struct: type[Any], version: int, *, flexible: bool) -> Layout:
        """Raises TypeError for a declaration that makes no sense in that version."""
        present, tagged, absent = [], [], []
        for field in fields_of(struct):
            if not field.exists_in(version) or (field.tag is not None and not flexible):
                absent.append(field)
            elif field.tag is None:
                present.append(field)
            elif holds_records(field.type, version, flexible=flexible):
                raise TypeError(f"{struct.__name__}.{field.name}: records cannot be tagged")
            else:
                tagged.append(field)
        tagged.sort(key=lambda field: field.tag or 0)
        return cls(tuple(present), tuple(tagged), tuple(absent))


def size_min(kind: FieldType, version: int, *, flexible: bool, nullable: bool = False) -> int:
    """The fewest bytes that a value takes: what bounds the count of an array before anything is allocated."""
    if isinstance(kind, Scalar):
        return kind.size
    if isinstance(kind, Nested):
        if nullable:
            return 1
        layout = Layout.of(kind.struct, version, flexible=flexible)
        return int(flexible) + sum(
            size_min(field.type, version, flexible=flexible, nullable=field.is_nullable_in(version))
            for field in layout.present
        )
    if flexible:
        return 1
    return 2 if isinstance(kind, Text) else 4


def holds_records(kind: FieldType, version: int, *, flexible: bool) -> bool:
    """Whether some part of a value is passed on without a copy."""
    if isinstance(kind, Array):
        return holds_records(kind.element, version, flexible=flexible)
    if isinstance(kind, Nested):
        fields = Layout.of(kind.struct, version, flexible=flexible).present
        return any(holds_records(field.type, version, flexible=flexible) for field in fields)
    return isinstance(kind, Opaque)
