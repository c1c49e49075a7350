"""Where a share group begins in a partition that it has never read (`share.auto.offset.reset`).

earliest │ latest │ by_duration:P1DT2H30M4.5S      records of the last day, two hours, …
"""

from __future__ import annotations

import re
from typing import Final

from drave.model.config import LONG_MAX, ConfigValue

EARLIEST: Final = "earliest"
LATEST: Final = "latest"
_BY_DURATION: Final = "by_duration:"

_ISO_8601: Final = re.compile(
    r"P(?:(\d{1,15})D)?(?:T(?=\d)(?:(\d{1,15})H)?(?:(\d{1,15})M)?(?:(\d{1,15})(?:\.(\d{1,9}))?S)?)?",
    re.IGNORECASE | re.ASCII,
)
_MS: Final = (86_400_000, 3_600_000, 60_000, 1_000)


def duration_ms(reset: str) -> int | None:
    """How old a record may be, in milliseconds; None for `earliest` and `latest`, which do not ask for that.

    Raises ValueError with a sentence.
    """
    if reset in (EARLIEST, LATEST):
        return None
    if not reset.startswith(_BY_DURATION):
        raise ValueError("must be earliest, latest, or by_duration: and a duration such as P7D or PT1H30M")
    text = reset[len(_BY_DURATION) :]
    found = _ISO_8601.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is no duration in ISO 8601 (PnDTnHnMn.nS) that is zero or more")
    *whole, fraction = found.groups()
    milliseconds = sum(int(number or 0) * unit for number, unit in zip(whole, _MS, strict=True))
    milliseconds += int((fraction or "0").ljust(3, "0")[:3])
    if milliseconds > LONG_MAX:
        raise ValueError(f"{text!r} is longer than a broker can count")
    return milliseconds


def check_share_reset(value: ConfigValue) -> str | None:
    """What is wrong with it, or None."""
    assert isinstance(value, str)
    try:
        duration_ms(value)
    except ValueError as error:
        return str(error)
    return None
