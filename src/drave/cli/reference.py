"""`docs/cli.md`, made from the commands themselves: `python -m drave.cli.reference > docs/cli.md`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from drave.cli.app import main

_WIDTH = 100
_HEADING = """\
# The command line

Every command's own help, and so made by `python -m drave.cli.reference`; a test holds it to the commands.
"""


def render() -> str:
    """The whole page."""
    pages = (f"## {path}\n\n```text\n{help_text}\n```\n" for path, help_text in _pages(main, "drave", None))
    return "\n".join((_HEADING, *pages))


def _pages(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        help_option_names=None if parent else ["-h", "--help"],
    )
    yield context.command_path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            yield from _pages(command.commands[each], each, context)


if __name__ == "__main__":
    click.echo(render(), nl=False)
