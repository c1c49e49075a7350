"""kafka-python reads its schemas in a way that Python 3.11 deprecates: import it once where that is no error."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.record.default_records  # noqa: F401  # imported for the tests that name it
