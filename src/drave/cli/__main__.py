"""`python -m drave.cli`."""

from drave.cli.app import main

if __name__ == "__main__":
    main(prog_name="drave")
