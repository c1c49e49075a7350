"""The root command, and what every command's end looks like.

    0    done
    1    the broker refused, or something failed
    2    the command line makes no sense
    3    no broker answers
    4    the topic, partition or group does not exist
    130  interrupted with Ctrl-C, or told to end, before it was done
    141  whoever read the output went away

An error is one sentence on standard error. A traceback is a bug.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Final

import click

from drave.cli.consume import consume
from drave.cli.demo import demo
from drave.cli.group import group
from drave.cli.produce import produce
from drave.cli.serve import serve
from drave.cli.streams import streams
from drave.cli.topic import topic
from drave.client.errors import BadProperty, NotFound, Unreachable
from drave.model.config import InvalidConfig
from drave.model.errors import DraveError

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
NOT_FOUND: Final = 4
INTERRUPTED: Final = 130
READER_GONE: Final = 141

_CODES: Final[tuple[tuple[type[DraveError], int], ...]] = (
    (BadProperty, USAGE),
    (InvalidConfig, USAGE),
    (Unreachable, UNREACHABLE),
    (NotFound, NOT_FOUND),
    (DraveError, FAILED),
)


class Root(click.Group):
    """Turns what a command raises, and what stands in its way, into one sentence and an exit code."""

    def main(self, *args: Any, **more: Any) -> Any:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # leave groups, commit, say what was sent
        try:
            code = super().main(*args, **{**more, "standalone_mode": False}) or DONE
            sys.stdout.flush()
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except click.Abort as error:
            interrupted = isinstance(error.__context__, KeyboardInterrupt)  # else the answer was no
            click.echo("" if interrupted else "Nothing has been done.", err=True)
            code = INTERRUPTED if interrupted else FAILED
        except DraveError as error:
            click.echo(f"drave: {error}", err=True)
            code = next(code for kind, code in _CODES if isinstance(error, kind))
        except BrokenPipeError:
            _forget_output()
            code = READER_GONE
        except OSError as error:  # a full disk, mostly: what a command reads it opens with an error of its own
            _forget_output()
            click.echo(f"drave: {error.strerror or error}", err=True)
            code = FAILED
        finally:
            signal.signal(signal.SIGTERM, before)
        sys.exit(code)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # here, for click has an end of its own for it
            _forget_output()
            ctx.exit(READER_GONE)


def _forget_output() -> None:
    """Let what standard output still holds go nowhere, or Python complains about it as it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # a fifth of the time that --help takes

        click.echo(f"drave {version('drave')}")
        ctx.exit()


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 no broker answers, 4 not found, 130 interrupted, "
    "141 the reader of the output went away.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def main() -> None:
    """Kafka in a pip install.

    `drave serve` runs a broker; the other commands are clients of the protocol and work with any Kafka.
    """


for command in (serve, topic, produce, consume, group, streams, demo):
    main.add_command(command)
