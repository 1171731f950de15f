"""Amounts in words for people. Pure."""

from __future__ import annotations


def size(count: float | None) -> str:
    """Bytes.

    >>> size(0), size(1_500), size(2_340_000_000), size(None)
    ('0 B', '1.5 kB', '2.3 GB', '–')
    """
    if count is None:
        return "–"
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
