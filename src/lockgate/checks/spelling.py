"""Words as they are meant: without what spelling adds."""

from __future__ import annotations

import unicodedata

_LONGEST = 10_000


def plain(value: str) -> str:
    """A text without accents, in small letters, with single spaces within and none around.

    >>> plain("  Sao  Paulo"), plain("São Paulo") == plain("sao paulo ")
    ('sao paulo', True)
    """
    apart = unicodedata.normalize("NFKD", value[:_LONGEST])
    bare = "".join(sign for sign in apart if not unicodedata.combining(sign))
    return " ".join(bare.casefold().split())
