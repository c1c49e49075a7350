"""Whole programs on Drave, to run and to read."""
