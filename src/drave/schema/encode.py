"""Generates the function that writes one version of a message.

The function gathers chunks and joins them once. Neighbouring values of fixed width are one call of `struct`. Records
are not joined: they end one part and begin the next.
"""

from __future__ import annotations

import struct
from contextlib import nullcontext
from functools import partial
from typing import Any

from drave.schema.code import Code
from drave.schema.declaration import Field, declaration_of
from drave.schema.errors import SchemaError
from drave.schema.layout import Layout, holds_records
from drave.schema.runtime import BYTE, varint
from drave.schema.types import Array, Blob, FieldType, Nested, Opaque, Scalar, Text


def write_encoder(cls: type[Any], version: int) -> Code:
    """The code of `encode(message) -> list of parts`."""
    return _Encoder(cls, version).write()


class _Encoder:
    def __init__(self, cls: type[Any], version: int) -> None:
        self.cls = cls
        self.version = version
        self.flexible = declaration_of(cls).is_flexible(version)
        self.has_records = holds_records(Nested(cls), version, flexible=self.flexible)
        self.code = Code(
            variables=("encode", "message", "parts", "out", "content"),
            provided={
                "fail": partial(SchemaError, cls.__name__, version),
                "BYTE": BYTE,
                "varint": varint,
                "StructError": struct.error,
            },
        )
        self.chunks: list[str] = []
        """Expressions that give the next bytes, not yet added to `out`."""
        self.fixed: list[tuple[str, str]] = []
        """Values of fixed width behind them: the code and the expression of each."""

    def write(self) -> Code:
        code = self.code
        with code.block("def encode(message):"):
            with code.block("try:"):
                if self.has_records:
                    code.line("parts = []")
                code.line("out = []")
                self.struct(self.cls, "message")
                self.flush()
                if self.has_records:
                    with code.block("if out:"):
                        code.line('parts.append(b"".join(out))')
                    code.line("return parts")
                else:
                    code.line('return [b"".join(out)]')
            with code.block("except (AttributeError, TypeError, ValueError, StructError) as error:"):
                code.line('raise fail(f"cannot carry this message: {error}") from error')
        return code

    # Structs.

    def struct(self, cls: type[Any], owner: str) -> None:
        layout = Layout.of(cls, self.version, flexible=self.flexible)
        for field in layout.present:
            value = f"{owner}.{field.name}"
            self.value(field.type, value, field.name, nullable=field.is_nullable_in(self.version))
        if self.flexible and layout.tagged:
            self.tagged(layout.tagged, owner)
        elif self.flexible:
            self.put("B", "0")

    def tagged(self, fields: tuple[Field, ...], owner: str) -> None:
        code, present = self.code, {}
        for field in fields:
            present[field.name] = code.name(f"has_{field.name}")
            code.line(f"{present[field.name]} = {self.is_not_default(field, owner)}")
        self.put("B", " + ".join(present.values()))
        for field in fields:
            self.flush()
            with code.block(f"if {present[field.name]}:"):
                outer = code.name("outer")
                code.line(f"{outer}, out = out, []")
                nullable = field.is_nullable_in(self.version) and not isinstance(field.type, Nested)
                self.value(field.type, f"{owner}.{field.name}", field.name, nullable=nullable)
                self.flush()
                code.line('content = b"".join(out)')
                code.line(f"out = {outer}")
                code.line(f"out += ({varint(field.tag or 0)!r}, varint(len(content)), content)")

    def is_not_default(self, field: Field, owner: str) -> str:
        value = f"{owner}.{field.name}"
        if field.default is None:
            return f"{value} is not None"
        if field.default == []:
            return f"len({value}) > 0"
        return f"{value} != {self.code.literal(field.default, field.name)}"

    # Values.

    def value(self, kind: FieldType, value: str, what: str, *, nullable: bool) -> None:
        if isinstance(kind, Scalar):
            self.put(kind.code, value)
        elif isinstance(kind, Nested):
            self.nested(kind, value, what, nullable=nullable)
        else:
            if "." in value:
                variable = self.code.name(what)
                self.code.line(f"{variable} = {value}")
                value = variable
            if isinstance(kind, Array):
                self.array(kind, value, what, nullable=nullable)
            elif isinstance(kind, Opaque):
                self.opaque(kind, value, what, nullable=nullable)
            else:
                self.bytes_like(kind, value, what, nullable=nullable)

    def nested(self, kind: Nested, value: str, what: str, *, nullable: bool) -> None:
        variable = self.code.name(what)
        self.code.line(f"{variable} = {value}")
        if not nullable:
            self.struct(kind.struct, variable)
            return
        self.flush()
        with self.code.block(f"if {variable} is None:"):
            self.put("b", "-1")
            self.flush()
        with self.code.block("else:"):
            self.put("b", "1")
            self.struct(kind.struct, variable)
            self.flush()

    def bytes_like(self, kind: Text | Blob, value: str, what: str, *, nullable: bool) -> None:
        convert = f"{value} = {value}.encode()" if isinstance(kind, Text) else ""
        self.length(value, what, legacy="h" if convert else "i", convert=convert, nothing='b""', nullable=nullable)
        self.chunk(value)

    def opaque(self, kind: Opaque, value: str, what: str, *, nullable: bool) -> None:
        """Ends a part where there are records at all; they are the next one."""
        code, size, append = self.code, f"len({value})", f"parts.append({value})"
        if kind.sliced:
            size = f"(sum(map(len, {value})) if type({value}) is list else {size})"
            append = f"parts.extend({value}) if type({value}) is list else {append}"
        self.length(value, what, legacy="i", size=size, nothing='b""', nullable=nullable)
        self.flush()
        with code.block(f"if {value}:"):
            code.line('parts.append(b"".join(out))')
            code.line(append)
            code.line("out = []")

    def array(self, kind: Array, value: str, what: str, *, nullable: bool) -> None:
        code = self.code
        self.length(value, what, legacy="i", nothing="()", nullable=nullable)
        if isinstance(kind.element, Scalar) and kind.element.code in "bhiq":
            pack = code.refer("pack", struct.pack)
            self.chunk(f'{pack}(f">{{len({value})}}{kind.element.code}", *{value})')
            return
        self.flush()
        item = code.name(f"{what}_item")
        with code.block(f"for {item} in {value}:"):
            if isinstance(kind.element, Nested):
                self.struct(kind.element.struct, item)
            else:
                self.value(kind.element, item, what, nullable=False)
            self.flush()

    def length(
        self,
        value: str,
        what: str,
        *,
        legacy: str,
        nothing: str,
        nullable: bool,
        convert: str = "",
        size: str = "",
    ) -> None:
        """Puts the length of `value`, in variable form or as the `legacy` code; null becomes `nothing`."""
        code, length = self.code, self.code.name(f"{what}_length")
        with code.block(f"if {value} is not None:") if nullable else nullcontext():
            if convert:
                code.line(convert)
            code.line(f"{length} = {size or f'len({value})'}{' + 1' if self.flexible else ''}")
        if nullable:
            with code.block("else:"):
                code.line(f"{value}, {length} = {nothing}, {0 if self.flexible else -1}")
        if self.flexible:
            self.chunk(f"BYTE[{length}] if {length} < 128 else varint({length})")
        else:
            self.put(legacy, length)

    # Chunks.

    def put(self, code: str, expression: str) -> None:
        self.fixed.append((code, expression))

    def chunk(self, expression: str) -> None:
        self.close_fixed()
        self.chunks.append(expression)

    def close_fixed(self) -> None:
        fixed, self.fixed = self.fixed, []
        if not fixed:
            return
        codes = "".join(code for code, _ in fixed)
        if codes == "B":
            expression = fixed[0][1]
            self.chunks.append(repr(BYTE[int(expression)]) if expression.isdigit() else f"BYTE[{expression}]")
        else:
            pack = self.code.struct_method(codes, "pack")
            self.chunks.append(f"{pack}({', '.join(expression for _, expression in fixed)})")

    def flush(self) -> None:
        self.close_fixed()
        chunks, self.chunks = self.chunks, []
        if len(chunks) == 1:
            self.code.line(f"out.append({chunks[0]})")
        elif chunks:
            self.code.line(f"out += ({', '.join(chunks)})")
