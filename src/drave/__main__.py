"""`python -m drave`: the same as `drave`."""

from drave.cli import main

if __name__ == "__main__":
    main(prog_name="drave")
