"""How the console writes times, shares and numbers. Pure; used as filters by the templates."""

from __future__ import annotations

import datetime as dt
import math

from markupsafe import Markup

from lockgate.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from lockgate.release.promise import DAY_S, HOUR_S
from lockgate.release.words import pace
from lockgate.resources.words import size

_UNITS = ((DAY_US, "d"), (HOUR_US, "h"), (MINUTE_US, "min"), (SECOND_US, "s"))
_DIGEST = 12


def ago(at_us: int, now_us: int) -> str:
    """How long ago a moment was.

    >>> ago(0, 90 * 60_000_000), ago(5, 10), ago(10, 5)
    ('1 h ago', 'just now', 'just now')
    """
    past = now_us - at_us
    return "just now" if past < SECOND_US else f"{span(past)} ago"


def span(length_us: int) -> str:
    """A length of time in its largest unit, cut.

    >>> span(3 * DAY_US + 5), span(59_999_999), span(0)
    ('3 d', '59 s', '0 s')
    """
    for unit_us, name in _UNITS:
        if length_us >= unit_us:
            return f"{length_us // unit_us} {name}"
    return "0 s"


def moment(at_us: int) -> str:
    """A moment in UTC, to the second.

    >>> moment(1_700_000_000_123_456)
    '2023-11-14 22:13:20'
    """
    return f"{dt.datetime.fromtimestamp(at_us // SECOND_US, tz=dt.UTC):%Y-%m-%d %H:%M:%S}"


def share(value: float | None) -> str:
    """A share (0..1) in percent, with as many digits as help.

    >>> share(0.05), share(0.0012), share(1.0), share(None)
    ('5 %', '0.12 %', '100 %', '–')
    """
    return "–" if value is None or math.isnan(value) else f"{value * 100:.3g} %"


def number(value: float | None) -> str:
    """A number for people: whole ones with thousands, others with four digits.

    >>> number(12345), number(0.123456), number(None), number(12345.6)
    ('12,345', '0.1235', '–', '12,346')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, int) or abs(value) >= 1000 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.4g}"


def traffic(per_day: float | None, measured_s: float) -> str:
    """How often requests come: of a whole day only when an hour was measured at least.

    >>> traffic(8_465_838, 90), traffic(8_465_838, 7200), traffic(None, 0.0), traffic(0.0, 0.0)
    ('98 per second', '8,465,838 per day', '–', '–')
    """
    if not per_day:
        return "–"
    if measured_s < HOUR_S:
        return pace(per_day / DAY_S).replace(" requests", "")
    return f"{per_day:,.0f} per day"


def short(digest: str) -> str:
    """A digest that can be read aloud; the page holds the whole one beside it.

    >>> short("sha256:0123456789abcdef0123")
    '0123456789ab'
    """
    return digest.removeprefix("sha256:")[:_DIGEST]


def plain(state: str) -> str:
    """A state in words.

    >>> plain("rolled_back")
    'rolled back'
    """
    return state.replace("_", " ")


def shown(value: object) -> str:
    """Any value of a record, short enough for a line.

    >>> shown([0.57116065, 0.42883934]), shown("a"), shown(None), shown(True)
    ('0.5712, 0.4288', 'a', '–', 'yes')
    """
    if value is None or isinstance(value, bool):
        return "–" if value is None else ("yes" if value else "no")
    if isinstance(value, list):
        return ", ".join(shown(each) for each in value)
    return number(value) if isinstance(value, int | float) else str(value)


def code(text: str) -> Markup:
    """Words of our own with what stands between backticks as code.

    >>> code("run `a < b` now")
    Markup('run <code>a &lt; b</code> now')
    """
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


FILTERS = {
    each.__name__: each
    for each in (ago, span, moment, share, number, traffic, short, plain, shown, size, code)
}
