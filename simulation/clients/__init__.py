"""Small honest clients on the wire messages, which try again as real ones do and tell the history what they know."""
