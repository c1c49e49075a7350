"""What is asked of both brokers: one module for each API key, and some for what several keys do together."""
