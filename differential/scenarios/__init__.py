"""What is asked of both brokers: a module for each API key, and some for what several keys do together. Where there are
many scenarios it is a folder, whose parts count as one module."""
