"""Writing generated code: lines, names that do not collide, and the objects that the code refers to."""

from __future__ import annotations

import builtins
import keyword
import linecache
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Code:
    """The text of one function under construction."""

    def __init__(self, *, variables: tuple[str, ...], provided: dict[str, Any]) -> None:
        self.lines: list[str] = []
        self.globals = provided
        self._depth = 0
        self._taken = {*variables, *provided, *keyword.kwlist, *dir(builtins)}

    def line(self, text: str) -> None:
        self.lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """What is written inside is indented below `head`; where that is nothing, it is `pass`."""
        self.line(head)
        self._depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.line("pass")
        self._depth -= 1

    def name(self, wish: str) -> str:
        """`wish`, or something like it that is not taken yet."""
        name, number = wish, 1
        while name in self._taken:
            number += 1
            name = f"{wish}_{number}"
        self._taken.add(name)
        return name

    def refer(self, wish: str, value: Any) -> str:
        """The name by which the function finds `value`."""
        for name, known in self.globals.items():
            if known is value and name.startswith(wish):
                return name
        name = self.name(wish)
        self.globals[name] = value
        return name

    def struct_method(self, codes: str, method: str) -> str:
        """A bound method of `struct.Struct` for big-endian `codes`, named after both."""
        name = f"{method}_{codes.replace('?', 'o')}"
        if name not in self.globals:
            self._taken.add(name)
            self.globals[name] = getattr(struct.Struct(f">{codes}"), method)
        return name

    def literal(self, value: Any, wish: str) -> str:
        """An expression for a default."""
        if value is None or isinstance(value, bool | int | float | str):
            return repr(value)
        if value == [] or value == b"":
            return repr(value)
        return self.refer(f"{wish}_default", value)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def function(self, name: str, file: str) -> Callable[..., Any]:
        """Compiles the text. Its lines show in tracebacks under the name `file`."""
        text = self.text
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        scope = dict(self.globals)
        exec(compile(text, file, "exec"), scope)
        made: Callable[..., Any] = scope[name]
        return made
