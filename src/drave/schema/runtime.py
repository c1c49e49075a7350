"""What generated code calls where the short form of a length does not do."""

from __future__ import annotations

from typing import Final

from drave.schema.types import Buffer

BYTE: Final = tuple(bytes((value,)) for value in range(256))
"""Each value as one byte."""


class OverlongVarint(ValueError):
    """A varint of more than five bytes."""


def finish_varint(buffer: Buffer, position: int, first: int) -> tuple[int, int]:
    """The rest of an unsigned varint whose `first` byte, already read, says that there is more."""
    value = first & 0x7F
    for shift in (7, 14, 21, 28):
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise OverlongVarint


def read_varint(buffer: Buffer, position: int) -> tuple[int, int]:
    """An unsigned varint, and where it ends."""
    first = buffer[position]
    position += 1
    return (first, position) if first < 0x80 else finish_varint(buffer, position, first)


def skip_tags(buffer: Buffer, position: int, count: int) -> int:
    """Where `count` tagged fields end that nobody knows."""
    for _ in range(count):
        _, position = read_varint(buffer, position)
        size, position = read_varint(buffer, position)
        position += size
    return position


def varint(value: int) -> bytes:
    """`value` as an unsigned varint."""
    if value < 0x80:
        return BYTE[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
