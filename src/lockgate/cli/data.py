"""`lockgate data`: versions of data sets, what they hold, what changed, who was trained on them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from lockgate.cli.data_shown import (
    distance,
    missing,
    print_added,
    print_set,
    print_version,
    print_worth,
    without_nothing,
)
from lockgate.cli.show import AsJson, new_group, print_json, print_pairs, print_table, progress
from lockgate.client import data as client
from lockgate.client.transport import connected
from lockgate.datasets.versions import parse_data
from lockgate.errors import InvalidInput
from lockgate.yamlfile import load_yaml

DATABASE = "LOCKGATE_DATABASE"
app = new_group("Add, show, compare and split data sets.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="loans, loans@3.", show_default=False)]


@app.command("list")
def show_all(as_json: AsJson = False) -> None:
    """Every data set."""
    with connected() as lockgate:
        found = lockgate.get("/data")
    if as_json:
        print_json(found)
        return
    rows = [(one["name"], one["versions"], one["settings"]["owner"] or one["created_by"], one["settings"]["description"])
            for one in found]  # fmt: skip
    print_table(
        ("DATA SET", "VERSIONS", "OWNER", "WHAT"),
        rows,
        empty="no data sets yet; next: lockgate data add NAME FILE",
    )


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    given: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            show_default=False,
            help="parquet, csv, jsonl; a folder of images; a Delta table.",
        ),
    ] = None,
    *,
    sql: Annotated[str | None, typer.Option(help="The rows of a query.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option(help="Its SQLAlchemy address; or LOCKGATE_DATABASE.", show_default=False)
    ] = None,
    delta: Annotated[
        int | None, typer.Option(help="An older version of a Delta table.", show_default=False)
    ] = None,
    refer: Annotated[
        bool, typer.Option("--refer", help="Copy nothing: keep what tells whether it changed.")
    ] = False,
    copy: Annotated[bool, typer.Option("--copy", help="Of a folder of images: keep copies.")] = False,
    target: Annotated[str, typer.Option(help="The column that is predicted.", show_default=False)] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Whatever is worth a look ends with status 1.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """A new version, by content, with what is worth a look in it: the same rows again are the version that is there."""
    address = database or os.environ.get(DATABASE)
    with progress() as show:
        done = client.add(
            name, given, sql=sql, database=address, delta=delta, refer=refer, copy=copy, target=target, progress=show,
        )  # fmt: skip
    print_json(done) if as_json else print_added(done)
    if done["data"]["broken"] or (strict and done["findings"]):
        raise typer.Exit(1)


@app.command("show")
def show(name: Name, as_json: AsJson = False) -> None:
    """A data set with its versions, or one version with its columns."""
    data, number = parse_data(name)
    with connected() as lockgate:
        found = lockgate.get(f"/data/{data}/{number}" if number else f"/data/{data}")
    if as_json:
        print_json(found)
    elif number:
        print_version(found)
    else:
        print_set(found)


@app.command("diff")
def diff(
    before: Name,
    after: Name,
    key: Annotated[str | None, typer.Option(help="The column that names a row.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """What changed from one version to another: rows, columns, types, values; what changed most first."""
    with connected() as lockgate:
        found = lockgate.get("/data-diff", before=before, after=after, key=key)
    if as_json:
        print_json(found)
        return
    changed = f", {found['changed']} with other values" if found["changed"] is not None else ""
    print(f"{found['before']} to {found['after']}: {found['rows_before']} rows to {found['rows_after']}: "
          f"{found['shared']} in both{changed}, {found['gone']} gone, {found['come']} new")  # fmt: skip
    order = {"removed": 3, "type": 2, "added": 1}
    columns = sorted((one for one in found["columns"] if one["change"] != "same"),
                     key=lambda one: -(order.get(one["change"], 0) or one["distance"] or 0))  # fmt: skip
    rows = [(one["name"], one["change"], distance(one["distance"]), missing(one["missing"]), one["before"], one["after"],
             ", ".join(one["strange"][:5])) for one in columns]  # fmt: skip
    print_table(
        ("COLUMN", "CHANGE", "DISTANCE", "MISSING", "BEFORE", "AFTER", "NEW VALUES"),
        rows,
        empty="no column changed",
    )


@app.command("report")
def report(
    name: Name,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The page to write.", show_default="NAME.html")] = None,
    target: Annotated[str | None, typer.Option(help="The column that is predicted.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """What is wrong with a version and what repairs it, with a picture of every column: one HTML page."""
    data, number = parse_data(name)
    with connected() as lockgate:
        place = f"/data/{data}/{number or 'latest'}/report"
        found = lockgate.get(place, target=target, form="json")
        page = None if as_json else lockgate.read(place, target=target)
    if page is None:
        print_json(found)
        return
    for each in found:
        if each["status"] != "pass":
            print(
                f"{each['status']:<5} {each['subject']}: {each['headline']}\n      -> {each.get('advice', '')}"
            )
    path = output or Path(f"{data}.html")
    try:
        path.write_bytes(page)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written", got=error.strerror) from error
    print(f"wrote {path}")


@app.command("describe")
def describe(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    change: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", show_default=False,
                      help="description, owner, access (how to get at it), target, time, group.")],
) -> None:  # fmt: skip
    """Say what a data set is, whose it is, where it lives and how to get access."""
    changes = {}
    for text in change:
        key, sign, value = text.partition("=")
        if not sign:
            raise InvalidInput("a change is written KEY=VALUE", got=text)
        changes[key] = value
    print_pairs(
        {key: str(value) for key, value in client.describe(name, changes).items() if key != "expects"}
    )


@app.command("expect")
def expect(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    *,
    like: Annotated[
        str | None, typer.Option(help="Write the contract from this good version.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="A YAML file with the contract.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The contract that every new version must keep; without options, show it as YAML to edit."""
    changes: dict[str, Any] = {}
    if file is not None:
        try:
            changes = {"expects": load_yaml(file.read_text(encoding="utf-8")) or {}}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InvalidInput(f"{file} cannot be read as YAML", got=error) from error
    expects = client.describe(name, changes, like=like)["expects"]
    plain = without_nothing(expects)
    print_json(plain) if as_json else print(
        yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).rstrip()
    )


@app.command("split")
def split(
    name: Name,
    *,
    test: Annotated[float, typer.Option(help="Share of test rows.")] = 0.2,
    validation: Annotated[float, typer.Option(help="Share of validation rows.")] = 0.0,
    time: Annotated[
        str | None, typer.Option(help="Column of moments: the latest rows are tested.", show_default=False)
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Column of subjects: nobody is on two sides.", show_default=False)
    ] = None,
    gap: Annotated[float, typer.Option(help="Seconds before each later part that are left out.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Parts that respect time and groups, as data sets NAME-train, NAME-validation and NAME-test."""
    asked = {"test": test, "validation": validation, "time": time, "group": group, "gap_s": gap, "seed": seed}
    found = client.split(name, asked)
    if as_json:
        print_json(found)
        return
    rows = [
        (f"{one['data']['name']}@{one['data']['number']}", one["data"]["rows"], "new" if one["new"] else "")
        for one in found.values()
    ]
    print_table(("DATA", "ROWS", ""), rows)
    for one in found.values():
        print_worth(one)


@app.command("lineage")
def lineage(
    name: Name,
    rows: Annotated[str | None, typer.Option(metavar="FIRST-LAST", help="Only these rows, in whatever version.",
                    show_default=False)] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Which versions of models were trained on a data version, or on a stretch of its rows."""
    data, number = parse_data(name)
    first, _, last = (rows or "").partition("-")
    if rows and not (first.isdigit() and (last.isdigit() or not last)):
        raise InvalidInput("rows are written FIRST-LAST", got=rows, allowed="1-500")
    with connected() as lockgate:
        found = lockgate.get(
            f"/data/{data}/{number or 'latest'}/lineage", first=first or None, last=last or None
        )
    if as_json:
        print_json(found)
        return
    for word, names in (("made from", found["parents"]), ("split into", found["children"])):
        if names:
            print(f"{found['data']} was {word} {', '.join(names)}")
    print_table(
        ("VERSION", "RUN", "READ", "AS", "ROWS"),
        [
            (
                f"{one['model']}/{one['version']}" if one["version"] else f"{one['model']} (none)",
                one["run"],
                one["data"],
                one["role"],
                "all" if one["rows"] is None else f"{one['rows']} of {found['asked_rows']}",
            )
            for one in found["read_by"]
        ],
        empty="no run read it" if not found["hidden"] else "no run that you may see read it",
    )
    for each, why in found["unread"].items():
        print(f"{each} cannot be looked at any more: {why}")
    if found["hidden"]:
        print(f"and {found['hidden']} runs of models that you may not see")
