"""Times as people write them: `1h`, `30m`, `7d` ago, a date, an ISO time."""

from __future__ import annotations

import datetime as dt
import re

from lockgate.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from lockgate.errors import InvalidInput

_UNITS = {"s": SECOND_US, "m": MINUTE_US, "h": HOUR_US, "d": DAY_US, "w": 7 * DAY_US}
_AGO = re.compile(r"(\d+(?:\.\d+)?) ?([smhdw])")


def moment(text: str, now_us: int) -> int:
    """Microseconds since 1970 of a time. Raises InvalidInput.

    >>> moment("90s", 100 * SECOND_US), moment("1970-01-02", 0) == DAY_US
    (10000000, True)
    """
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return now_us - round(float(ago[1]) * _UNITS[ago[2]])
    try:
        at = dt.datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(
            "this is no time",
            got=text,
            allowed="30s, 15m, 1h, 7d, 2w (ago), 2026-03-01, 2026-03-01T12:00:00Z",
        ) from error
    at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    return round(at.timestamp() * SECOND_US)
