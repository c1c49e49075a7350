"""Commands for people: `drave serve`, and clients of the protocol that work with any Kafka.

    app.py      the root command, exit codes, and how an error is told
    options.py  options that several commands share
    output.py   tables, JSON, notes
    records.py  a record as JSON, and by a template
    …           one module for each command

Nothing heavy is imported before a command needs it, so that `drave --help` is quick.
"""

try:
    from drave.cli.app import main
except KeyboardInterrupt:  # Ctrl-C while this is still loading
    raise SystemExit(130) from None

__all__ = ["main"]
