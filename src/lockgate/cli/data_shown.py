"""Data sets and their versions as people read them in a terminal."""

from __future__ import annotations

from typing import Any

from lockgate.cli.show import print_pairs, print_table, when
from lockgate.cli.train import size


def print_set(found: dict[str, Any]) -> None:
    """A data set with its versions."""
    said = found["data_set"]["settings"]
    print_pairs(
        {
            "data set": found["data_set"]["name"],
            "what": said["description"],
            "owner": said["owner"],
            "access": said["access"],
            "columns": ", ".join(
                f"{what} {said[what]}" for what in ("target", "time", "group") if said[what]
            ),
            "contract": f"{len(said['expects']['columns'])} columns" if said["expects"]["columns"] else "",
        }
    )
    print()
    rows = [
        (
            f"{one['name']}@{one['number']}",
            one["rows"],
            len(one["columns"]),
            size(one["bytes"]),
            one["source"]["path"] or "the store",
            len(one["broken"]) or "",
            one["author"],
            when(one["created_us"]),
            one["source"]["said"],
        )
        for one in found["versions"]
    ]
    print_table(("VERSION", "ROWS", "COLUMNS", "SIZE", "LIES IN", "BREAKS", "AUTHOR", "ADDED", "FROM"), rows)


def print_version(one: dict[str, Any]) -> None:
    """A version with its columns."""
    source = one["source"]
    print_pairs(
        {
            "data": f"{one['name']}@{one['number']}",
            "digest": one["digest"],
            "rows": one["rows"],
            "size": size(one["bytes"]),
            "from": f"{source['origin']} {source['said']}",
            "lies in": source["path"] or "the store",
            "parent": source["parent"],
            "added": f"{one['author']}, {when(one['created_us'])}",
        }
    )
    print()
    rows = []
    for column in one["profile"]["columns"]:
        numbers = column["numbers"]
        shown = (f"{numbers['quantiles'][0]:.4g} .. {numbers['quantiles'][4]:.4g} .. {numbers['quantiles'][-1]:.4g}" if numbers
                 else ", ".join(value for value, _ in column["top"][:4]))  # fmt: skip
        rows.append((column["name"], column["kind"], column["missing"] or "", column["distinct"], shown))
    print_table(
        ("COLUMN", "TYPE", "MISSING", "VALUES", "LEAST .. MEDIAN .. MOST, or the most frequent"), rows
    )
    print_broken(one)


def print_added(done: dict[str, Any]) -> None:
    """A version that was added: what it is, what it breaks, what is worth a look."""
    data = done["data"]
    said = "is recorded" if done["new"] else "holds the same rows already"
    print(f"{data['name']}@{data['number']} {said}: {data['rows']} rows, {len(data['columns'])} columns, {size(data['bytes'])}, "
          f"{data['digest'][:19]}")  # fmt: skip
    print_broken(data)
    print_worth(done)


def print_worth(done: dict[str, Any]) -> None:
    """What is worth a look in a version, each with the step that repairs it."""
    if done["findings"] and done["beside"]:
        print(f"  (held against {done['beside']})")
    for one in done["findings"]:
        print(f"  {one['subject']}: {one['headline']}\n    -> {one['advice']}")
    if done["findings"] and done["sampled"]:
        print(f"  (looked at {done['sampled']} of its rows)")


def print_broken(data: dict[str, Any]) -> None:
    """What a version breaks of its contract, with the step that would repair it."""
    for one in data["broken"]:
        print(
            f"  breaks its contract: {one['column'] or 'the table'}: {one['found']}; expected: {one['expected']}"
        )
        print(f"    -> {one['repair']}")


def without_nothing(value: Any) -> Any:
    """A contract without what it does not say."""
    if isinstance(value, dict):
        return {key: without_nothing(one) for key, one in value.items() if one not in (None, False, {}, [])}
    return value


def distance(value: float | None) -> str:
    """A distance for people."""
    return "" if value is None else f"{value:.3f}"


def missing(shares: list[float] | None) -> str:
    """Shares of missing values, where they differ."""
    return "" if shares is None or shares[0] == shares[1] else f"{shares[0]:.1%} -> {shares[1]:.1%}"
