"""Part of the quality check: columns that hold personal data, by the pattern of their values or by their name.

Numbers of cards and accounts count only with their check digits: Luhn (ISO/IEC 7812-1) and the remainder by 97 (ISO 13616).
Names of people have no pattern: they are known by the column's name alone. Values themselves are never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import polars as pl

_READ = 5_000  # different values of a column that are looked at
_LEAST = 3
_SHARE = 0.01
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}(?![\w-])")
_PHONE = re.compile(r"(\+|00)[1-9][\d ()/.-]{6,20}|\(?[2-9]\d\d\)?[ -][2-9]\d\d-\d{4}")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_CARD = re.compile(r"[2-6]\d{12,18}")
_IP = re.compile(r"((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)")
_NAMES = re.compile(
    r"(first|last|middle|full|given|family|sur|maiden|user|person|customer|client|patient|employee|passenger)[ _.-]?names?"
    r"|names?|vorname|nachname|familienname|prenom|nom|apellidos?"
)


def personal(series: pl.Series) -> tuple[str, float] | None:
    """What kind of personal data a column holds and the share of its different values that do; None where it holds none.

    >>> personal(pl.Series("contact", ["a.b@example.org", "c@example.org", "d@example.com"]))
    ('e-mail addresses', 1.0)
    """
    if series.dtype != pl.String and not series.dtype.is_integer():
        return None
    values = [
        text.strip() for text in series.drop_nulls().cast(pl.String).unique(maintain_order=True).head(_READ)
    ]
    if not values:
        return None
    for what, holds in _KINDS.items():
        hits = sum(holds(text) for text in values)
        # one number in ten has a right check digit by chance
        least = 0.5 if what == "card numbers" else _SHARE
        if hits >= max(_LEAST, least * len(values)):
            return what, hits / len(values)
    if (
        series.dtype == pl.String
        and _NAMES.fullmatch(series.name.strip().lower())
        and _like_names(values, len(series))
    ):
        return "names of people, by the column's name", 1.0
    return None


def personal_in(frame: pl.DataFrame, names: Iterable[str]) -> dict[str, str]:
    """Columns of a table that hold personal data, and of what kind."""
    found = {name: personal(frame[name]) for name in names if name in frame.columns}
    return {name: held[0] for name, held in found.items() if held is not None}


def iban(text: str) -> bool:
    """Whether a text is an IBAN with the right check digits.

    >>> iban("GB82 WEST 1234 5698 7654 32"), iban("GB83 WEST 1234 5698 7654 32")
    (True, False)
    """
    plain = text.replace(" ", "").upper()
    return (
        bool(_IBAN.fullmatch(plain))
        and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1
    )


def card(text: str) -> bool:
    """Whether a text is a card number with the right check digit.

    >>> card("4111 1111 1111 1111"), card("4111-1111-1111-1112")
    (True, False)
    """
    plain = re.sub(r"[ -]", "", text)
    if not _CARD.fullmatch(plain) or len(set(plain)) == 1:
        return False
    doubled = (int(c) * (1 + n % 2) for n, c in enumerate(reversed(plain)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _phone(text: str) -> bool:
    return bool(_PHONE.fullmatch(text)) and 8 <= sum(c.isdigit() for c in text) <= 17


def _ip(text: str) -> bool:
    return bool(_IP.fullmatch(text))


def _email(text: str) -> bool:
    return "@" in text and bool(_EMAIL.search(text))


def _like_names(values: list[str], rows: int) -> bool:
    """Of many kinds, mostly letters: a column `name` of five products is none."""
    lettered = sum(bool(re.fullmatch(r"[^\W\d_][^\d_@/\\]*", text)) for text in values)
    return len(values) >= min(50, max(rows // 4, 1)) and lettered >= 0.9 * len(values)


_KINDS: dict[str, Callable[[str], bool]] = {
    "e-mail addresses": _email,
    "account numbers (IBAN)": iban,
    "card numbers": card,
    "phone numbers": _phone,
    "network addresses (IP)": _ip,
}
