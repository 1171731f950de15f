"""How labels were distributed month by month, beside the validation: what `lockgate performance --labels` prints."""

from __future__ import annotations

from typing import Any

from lockgate.cli.show import print_table

MOST_NAMES = 6


def print_labels(found: dict[str, Any]) -> None:
    """One table a version, its validation first."""
    if not found["months"]:
        print("no complete window with labels yet")
        return
    for version in found["versions"]:
        months = [(each["month"], each["target"]) for each in found["months"] if each["version"] == version]
        validated = found["validated"].get(str(version))
        told = [*([("validation", validated)] if validated else []), *months]
        if not told:
            continue
        names = list(dict.fromkeys(name for _, target in told for name in target["shares"]))[:MOST_NAMES]
        numbers = any(target["mean"] is not None for _, target in told)
        rows = [
            [
                month,
                f"{target['rows']:,}",
                *([_mean(target)] if numbers else []),
                *(_share(target, name) for name in names),
            ]
            for month, target in told
        ]
        print_table([f"version {version}", "labels", *(["mean"] if numbers else []), *names], rows)


def _share(target: dict[str, Any], name: str) -> str:
    return f"{target['shares'].get(name, 0) / max(target['rows'], 1):.1%}"


def _mean(target: dict[str, Any]) -> str:
    return "" if target["mean"] is None else f"{target['mean']:,.4g}"
