"""How models and versions are called: `churn` a model, `churn/3` a version; `churn@live` is resolved by the release."""

from __future__ import annotations

import re
from typing import NamedTuple

from lockgate.errors import InvalidInput

MAX_NAME = 64
MAX_TAG_VALUE = 1_000
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*[a-z0-9]|[a-z0-9]")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]*")
_NAME_RULE = f"1 to {MAX_NAME} of: small letters, digits, '-', '_', '.'; a letter or digit at both ends"


class VersionName(NamedTuple):
    """A version's name in two parts; written `churn/3`.

    >>> str(parse_version("churn/3"))
    'churn/3'
    """

    model: str
    number: int

    def __str__(self) -> str:
        return f"{self.model}/{self.number}"


def check_model_name(name: str) -> str:
    """The name, if a model may be called so. It appears in URLs, file names and metrics, hence the narrow rule."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise InvalidInput(
            "a model cannot have this name", got=name[:80], allowed=_NAME_RULE, fix=_suggest(name)
        )
    return name


def parse_version(text: str) -> VersionName:
    """`churn/3` as its two parts. Raises InvalidInput that shows the form."""
    model, separator, number = text.partition("/")
    if not separator or not number.isascii() or not number.isdigit() or int(number) < 1 or len(number) > 9:
        raise InvalidInput(
            "not the name of a version",
            got=text[:80],
            allowed="MODEL/NUMBER, like churn/3",
            fix="lockgate model show MODEL",
        )
    return VersionName(check_model_name(model), int(number))


def check_tag(name: str, value: str) -> None:
    """Raises InvalidInput for a tag that cannot be kept."""
    if len(name) > MAX_NAME or not _TAG.fullmatch(name):
        raise InvalidInput(
            "a tag cannot have this name",
            got=name[:80],
            allowed=f"1 to {MAX_NAME} of: letters, digits, '-', '_', '.', blank",
        )
    if len(value) > MAX_TAG_VALUE:
        raise InvalidInput(
            f"the value of tag '{name}' is too long",
            got=f"{len(value)} characters",
            allowed=f"at most {MAX_TAG_VALUE}",
        )


def _suggest(name: str) -> str | None:
    """The nearest name that is allowed, as a sentence."""
    near = re.sub(r"[^a-z0-9._-]+", "-", name.lower())[:MAX_NAME].strip("._-")
    return f"call it '{near}'" if near and near != name else None
