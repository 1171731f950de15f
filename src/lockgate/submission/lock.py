"""The requirements of a version: exact pins and nothing else, so that the same environment can be made again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata

from lockgate.config import EnvironmentConfig
from lockgate.errors import InvalidInput
from lockgate.inference.environment import running_fits
from lockgate.inference.environment_build import WHEELS_ALONE, resolved

_PIN = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._ -]*\])?\s*===?\s*[A-Za-z0-9.!+_-]+(\s*;[^\\]*)?"
)
_HASH = re.compile(r"--hash=sha(256|384|512):[0-9a-f]+")
_OURS = frozenset({"lockgate", "pip", "setuptools", "wheel", "uv"})


def pins_from(text: str) -> tuple[str, ...]:
    """The lines of a requirements file, checked. Hashes may follow their pin.

    Raises InvalidInput for a line that is no exact pin: another version tomorrow would be another model.

    >>> pins_from("numpy==2.4.6  # arrays")
    ('numpy==2.4.6',)
    """
    lines = text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines()
    return tuple(_checked(kept) for line in lines if (kept := re.sub(r"(^|\s)#.*", "", line).strip()))


def pins_of_distributions(found: dict[str, str]) -> tuple[str, ...]:
    """Pins of what a model loaded (name -> version), by name; lockgate and installers left out."""
    return tuple(
        f"{name}=={found[name]}" for name in sorted(found, key=str.lower) if name.lower() not in _OURS
    )


def pins_of_globals(names: Iterable[str]) -> tuple[str, ...]:
    """Pins of the distributions that hold these dotted names in the running environment, with what those need.

    For the machine on which a model was made, where the versions are the ones that made it.
    """
    owners = metadata.packages_distributions()
    return _with_needs(
        owner for root in {name.partition(".")[0] for name in names} for owner in owners.get(root, [])
    )


def completed(
    pins: tuple[str, ...], python: str, environment: EnvironmentConfig = WHEELS_ALONE
) -> tuple[str, ...]:
    """Pins with those of everything that they need in turn, so that an environment with nothing else runs the model.

    MLflow writes only what a model imports itself. Where this process has these pins, its own versions are taken; else
    uv resolves them now, and they stay. Hashed pins are complete already. Raises Unavailable with uv's words.
    """
    if not pins or any("--hash=" in line for line in pins):
        return pins
    if running_fits(pins, python):
        return _with_needs(_name(line) for line in pins)
    return tuple(line for line in resolved(pins, python, environment) if _name(line).lower() not in _OURS)


def _with_needs(names: Iterable[str]) -> tuple[str, ...]:
    """Pins of installed distributions and of all that they need."""
    waiting = list(names)
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # needed on other systems or by an extra that is not installed
        canonical = str(distribution.metadata["Name"])
        if canonical in found:
            continue
        found[canonical] = distribution.version
        waiting += [_name(line) for line in distribution.requires or () if "extra ==" not in line]
    return pins_of_distributions(found)


def _checked(line: str) -> str:
    pin, *hashes = line.split(" --hash")
    if _PIN.fullmatch(pin.strip()) and all(_HASH.fullmatch(f"--hash{one}".strip()) for one in hashes):
        return " ".join(line.split())
    if line.startswith(("-", "http", "git+")) or "@" in line:
        raise InvalidInput(
            "a version's requirements hold pins only, no options, files or addresses", got=line[:80]
        )
    name = _name(line)
    try:
        fix = f"{name}=={metadata.version(name)} is what this machine has"
    except metadata.PackageNotFoundError:
        fix = f"{name}==VERSION, as `pip freeze` shows it where the model was made"
    raise InvalidInput("a requirement is not pinned to one version", got=line[:80], fix=fix)


def _name(line: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0]
