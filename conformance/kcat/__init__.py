"""kcat, as a person types it: lines piped in, JSON read out."""
