"""Generates the function that reads one version of a message.

The function walks the bytes once, with everything inlined. Neighbouring values of fixed width, and the first byte of a
length behind them, are one call of `struct`. Python's slices never reach past a buffer's end but become short, so a
value that is cut off is noticed without a check of its own: at the latest the position, which then lies past the end,
says it.
"""

from __future__ import annotations

import struct
from functools import partial
from itertools import chain, repeat
from typing import Any

from drave.schema.code import Code
from drave.schema.declaration import Field, declaration_of
from drave.schema.errors import SchemaError
from drave.schema.layout import Layout, holds_records, size_min
from drave.schema.runtime import OverlongVarint, finish_varint, skip_tags
from drave.schema.types import Array, Blob, FieldType, Nested, Opaque, Scalar, Text


def write_decoder(cls: type[Any], version: int) -> Code:
    """The code of `decode(buffer, position=0) -> (message, end)`."""
    return _Decoder(cls, version).write()


class _Decoder:
    def __init__(self, cls: type[Any], version: int) -> None:
        self.cls = cls
        self.version = version
        self.flexible = declaration_of(cls).is_flexible(version)
        self.has_records = holds_records(Nested(cls), version, flexible=self.flexible)
        self.code = Code(
            variables=("decode", "buffer", "position", "size", "end"),
            provided={
                "fail": partial(SchemaError, cls.__name__, version),
                "finish_varint": finish_varint,
                "skip_tags": skip_tags,
                "OverlongVarint": OverlongVarint,
                "StructError": struct.error,
            },
        )
        self.pending: list[tuple[str, str, int]] = []
        """Fixed-width values not read yet: the variable, the code and the size of each."""

    def write(self) -> Code:
        code = self.code
        buffer = "memoryview" if self.has_records else "bytes"
        with code.block("def decode(buffer, position=0):"):
            with code.block(f"if type(buffer) is not {buffer}:"):
                code.line(f"buffer = {buffer}(buffer)")
            code.line("size = len(buffer)")
            with code.block("try:"):
                message = self.struct(self.cls)
            with code.block("except (IndexError, StructError):"):
                code.line('raise fail("ends too early") from None')
            with code.block("except UnicodeDecodeError:"):
                code.line('raise fail("holds a string that is not UTF-8") from None')
            with code.block("except OverlongVarint:"):
                code.line('raise fail("holds a varint of more than five bytes") from None')
            with code.block("if position > size:"):
                code.line('raise fail("ends too early")')
            code.line(f"return {message}, position")
        return code

    # Structs: read the fields, then construct.

    def struct(self, cls: type[Any]) -> str:
        """Reads a struct's fields; gives the expression that constructs it."""
        layout = Layout.of(cls, self.version, flexible=self.flexible)
        values = {field.name: self.code.literal(field.default, field.name) for field in layout.absent}
        for field in layout.present:
            values[field.name] = self.code.name(field.name)
            self.value(field.type, values[field.name], field.name, nullable=field.is_nullable_in(self.version))
        if self.flexible:
            self.tagged(layout.tagged, values)
        self.flush()
        arguments = ", ".join(values[name] for name in cls.__struct_fields__)
        return f"{self.code.refer(cls.__name__, cls)}({arguments})"

    def tagged(self, fields: tuple[Field, ...], values: dict[str, str]) -> None:
        code = self.code
        tags = self.fixed("tags", "B", 1)
        for field in fields:
            values[field.name] = code.name(field.name)
            code.line(f"{values[field.name]} = {code.literal(field.default, field.name)}")
        with code.block(f"if {tags}:"):
            self.finish_varint(tags)
            if not fields:
                code.line(f"position = skip_tags(buffer, position, {tags})")
                return
            with code.block(f"for _ in range({tags}):"):
                tag, length, end = self.varint("tag"), self.varint("length"), code.name("end")
                code.line(f"{end} = position + {length}")
                for choice, field in zip(chain(["if"], repeat("elif")), fields, strict=False):
                    with code.block(f"{choice} {tag} == {field.tag}:"):
                        self.value(field.type, values[field.name], field.name, nullable=self.tag_is_nullable(field))
                        self.flush()
                        with code.block(f"if position != {end}:"):
                            code.line(f'raise fail("{field.name}: its tag gives it another size")')
                with code.block("else:"):
                    code.line(f"position = {end}")

    def tag_is_nullable(self, field: Field) -> bool:
        """A tagged struct is None where its tag is absent, and has no presence byte."""
        return field.is_nullable_in(self.version) and not isinstance(field.type, Nested)

    # Values: each leaves itself in the variable `target`.

    def value(self, kind: FieldType, target: str, what: str, *, nullable: bool) -> None:
        if isinstance(kind, Scalar):
            self.pending.append((target, kind.code, kind.size))
        elif isinstance(kind, Nested):
            self.nested(kind, target, what, nullable=nullable)
        elif isinstance(kind, Array):
            self.array(kind, target, what, nullable=nullable)
        else:
            self.bytes_like(kind, target, what, nullable=nullable)

    def nested(self, kind: Nested, target: str, what: str, *, nullable: bool) -> None:
        if not nullable:
            self.code.line(f"{target} = {self.struct(kind.struct)}")
            return
        presence = self.fixed(f"{what}_presence", "b", 1)
        with self.code.block(f"if {presence} < 0:"):
            self.code.line(f"{target} = None")
        with self.code.block("else:"):
            self.code.line(f"{target} = {self.struct(kind.struct)}")

    def bytes_like(self, kind: Text | Blob | Opaque, target: str, what: str, *, nullable: bool) -> None:
        code = self.code
        length = self.length(what, "h" if isinstance(kind, Text) else "i")
        with code.block(f"if {self.is_not_null(length)}:"):
            code.line(f"end = position + {length}{' - 1' if self.flexible else ''}")
            code.line(f"{target} = {self.slice(kind)}")
            code.line("position = end")
        self.otherwise_null(target, what, nullable=nullable)

    def slice(self, kind: Text | Blob | Opaque) -> str:
        part = "buffer[position:end]"
        if isinstance(kind, Text):
            return f'str({part}, "utf-8")' if self.has_records else f"{part}.decode()"
        if isinstance(kind, Blob):
            return f"{part}.tobytes()" if self.has_records else part
        return part

    def array(self, kind: Array, target: str, what: str, *, nullable: bool) -> None:
        code = self.code
        count = self.count(kind, what)
        with code.block(f"if {self.is_not_null(count)}:"):
            if self.flexible:
                code.line(f"{count} -= 1")
            else:
                self.bound(kind, count, what)
            if isinstance(kind.element, Scalar) and kind.element.code in "bhiq":
                unpack, element = code.refer("unpack_from", struct.unpack_from), kind.element
                code.line(f'{target} = list({unpack}(f">{{{count}}}{element.code}", buffer, position))')
                code.line(f"position += {count}{f' * {element.size}' if element.size > 1 else ''}")
            else:
                code.line(f"{target} = []")
                with code.block(f"for _ in range({count}):"):
                    code.line(f"{target}.append({self.element(kind.element, what)})")
        self.otherwise_null(target, what, nullable=nullable)

    def element(self, kind: FieldType, what: str) -> str:
        if isinstance(kind, Nested):
            return self.struct(kind.struct)
        target = self.code.name(f"{what}_item")
        self.value(kind, target, what, nullable=False)
        self.flush()
        return target

    def count(self, kind: Array, what: str) -> str:
        """Reads an array's count. One byte cannot say too much: only a longer varint is held against the bytes left."""
        if not self.flexible:
            return self.fixed(f"{what}_length", "i", 4)
        count = self.fixed(f"{what}_length", "B", 1)
        with self.code.block(f"if {count} > 127:"):
            self.code.line(f"{count}, position = finish_varint(buffer, position, {count})")
            self.bound(kind, f"{count} - 1", what)
        return count

    def bound(self, kind: Array, count: str, what: str) -> None:
        """Refuses a count that the bytes left cannot hold, before anything is allocated for it."""
        least = size_min(kind.element, self.version, flexible=self.flexible)
        if least == 0:
            raise TypeError(f"{self.cls.__name__}.{what}: an array of structs without fields has no bound")
        with self.code.block(f"if {f'({count}) * {least}' if least > 1 else count} > size - position:"):
            self.code.line(f'raise fail(f"{what}: {{{count}}} elements do not fit into what is left")')

    # Lengths and fixed widths.

    def length(self, what: str, legacy: str) -> str:
        """Reads a length or count as it stands: one more than itself in flexible versions."""
        if self.flexible:
            return self.varint(f"{what}_length")
        return self.fixed(f"{what}_length", legacy, struct.calcsize(f">{legacy}"))

    def varint(self, wish: str) -> str:
        variable = self.fixed(wish, "B", 1)
        self.finish_varint(variable)
        return variable

    def finish_varint(self, variable: str) -> None:
        with self.code.block(f"if {variable} > 127:"):
            self.code.line(f"{variable}, position = finish_varint(buffer, position, {variable})")

    def is_not_null(self, length: str) -> str:
        return length if self.flexible else f"{length} >= 0"

    def otherwise_null(self, target: str, what: str, *, nullable: bool) -> None:
        with self.code.block("else:"):
            self.code.line(f"{target} = None" if nullable else f'raise fail("{what}: cannot be null")')

    def fixed(self, wish: str, code: str, size: int) -> str:
        """Reads a value of fixed width now, together with those that wait."""
        variable = self.code.name(wish)
        self.pending.append((variable, code, size))
        self.flush()
        return variable

    def flush(self) -> None:
        pending, self.pending = self.pending, []
        if not pending:
            return
        size = sum(size for _, _, size in pending)
        if [code for _, code, _ in pending] == ["B"]:
            self.code.line(f"{pending[0][0]} = buffer[position]")
        else:
            unpack = self.code.struct_method("".join(code for _, code, _ in pending), "unpack_from")
            targets = "".join(f"{variable}, " for variable, _, _ in pending)
            self.code.line(f"{targets.rstrip() if len(pending) == 1 else targets[:-2]} = {unpack}(buffer, position)")
        self.code.line(f"position += {size}")
