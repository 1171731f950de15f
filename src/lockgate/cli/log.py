"""`lockgate log`: ask the prediction log, export it, erase a person from it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from lockgate.cli.show import AsJson, new_app, print_json, print_table, progress
from lockgate.client import predictions
from lockgate.client.naming import model_only
from lockgate.client.transport import connected
from lockgate.errors import InvalidInput

app = new_app("Ask the prediction log, export it, erase a person.")
FORMATS = {".parquet": "parquet", ".arrow": "arrow", ".jsonl": "json", ".ndjson": "json"}
WIDTH = 160  # where there is no terminal to measure
MOST_LETTERS = 60  # of an error in the table; --json shows all
FIRST = ("at", "id", "version", "status", "latency_us", "key")  # what people look at first


@app.command("show")
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)],
    *,
    since: Annotated[str | None, typer.Option(help="30m, 1h, 7d, or a date.", show_default=False)] = None,
    until: Annotated[str | None, typer.Option(help="The same.", show_default=False)] = None,
    where: Annotated[str | None, typer.Option(help='SQL, as in "status >= 400".', show_default=False)] = None,
    version: Annotated[int | None, typer.Option(help="Answers of one version.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(help="The newest so many rows; 0: all.", min=0)] = 20,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .parquet, .arrow or .jsonl file.",
                      show_default=False)] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """One row per predicted row, oldest first, with inputs, outputs and labels."""
    asked = {"since": since, "until": until, "where": where, "version": version, "limit": limit or None}
    path = f"/models/{model_only(model)}/log"
    if output is not None:
        asked["format"] = _format_of(output)
    with connected() as lockgate:
        body = lockgate.read(path, **asked)
    if output is not None:
        _write(output, body)
    elif as_json:
        sys.stdout.write(body.decode())
    else:
        _print([json.loads(line) for line in body.splitlines()])


@app.command("export")
def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)],
    *,
    to: Annotated[Path, typer.Option("--to", help="A .parquet, .arrow or .jsonl file.", show_default=False)],
    since: Annotated[str | None, typer.Option(help="30m, 1h, 7d, or a date.", show_default=False)] = None,
    until: Annotated[str | None, typer.Option(help="The same.", show_default=False)] = None,
    where: Annotated[str | None, typer.Option(help='SQL, as in "status >= 400".', show_default=False)] = None,
    version: Annotated[int | None, typer.Option(help="Answers of one version.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Write any number of rows into a file, in constant memory."""
    asked = {"since": since, "until": until, "where": where, "version": version, "format": _format_of(to)}
    with progress() as shown:
        done = predictions.export(model, to, asked, progress=shown)
    print_json({**done, "output": str(to)}) if as_json else print(f"{done['rows']} rows: {to}")


@app.command("erase")
def erase(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)],
    *,
    key: Annotated[str, typer.Option(help="The person's business key.", show_default=False)],
    reason: Annotated[
        str, typer.Option(help="Why; kept for ever, so it must not say who.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Erase a person for ever, and list where else they may be."""
    with progress() as shown:
        done = predictions.erase(model, key, reason=reason, progress=shown)
    if as_json:
        print_json(done)
        return
    counts = done["erasure"]["counts"]
    print(f"erased: {counts['requests']} requests, {counts['rows']} rows of others' requests, "
          f"{counts['labels']} labels; {counts['files']} older files deleted")  # fmt: skip
    if counts["copies_in"]:
        print(f"older copies of erased rows may be left in PostgreSQL's files of {', '.join(counts['copies_in'])}: somebody "
              "holds these tables, or they are not ours; it is tried again within the hour")  # fmt: skip
    for place in done["remains"]:
        rows = f", rows {', '.join(map(str, place['rows'][:10]))}" if place.get("rows") else ""
        print(f"still in {place['kind']} {place['name']}{rows}: {place['why']}")


@app.command("check")
def check(*, as_json: AsJson = False) -> None:
    """Read every file of the archive and say which are damaged; exit status 1 when one is."""
    with progress() as shown:
        done = predictions.check_log(progress=shown)
    if as_json:
        print_json(done)
    else:
        print(f"{done['files']} files, {len(done['damaged'])} damaged")
        for each in done["damaged"]:
            print(f"{each['name']}: {each['why']}\n  next: restore it from a backup of the store")
    if done["damaged"]:
        raise typer.Exit(1)


def _print(rows: list[dict[str, object]]) -> None:
    """What people look at first, the answers, then as many inputs as fit beside them."""
    given = list(rows[0]) if rows else []
    names = [
        name for name in (*FIRST, "error", "label") if any(row.get(name) not in (None, "") for row in rows)
    ]
    names += [name for name in given if name.startswith("out.")]
    inputs = [name for name in given if name.startswith("in.")]
    table = {
        name: [name.upper(), *(_shown(name, row.get(name)) for row in rows)] for name in (*names, *inputs)
    }
    shown = names + inputs[: _fitting(table, names, inputs)]
    print_table([name.upper() for name in shown], [[_shown(name, row.get(name)) for name in shown] for row in rows],
                empty="no predictions found")  # fmt: skip
    if len(shown) < len(table):
        left = len(table) - len(shown)
        print(
            f"({left} more input{'s' * (left > 1)}: --json shows all, -o FILE.parquet writes them)",
            file=sys.stderr,
        )


def _fitting(table: dict[str, list[str]], names: list[str], inputs: list[str]) -> int:
    """How many inputs fit into the terminal's width, but never fewer than one."""
    room = shutil.get_terminal_size((WIDTH, 24)).columns
    used = sum(max(map(len, table[name])) + 2 for name in names)
    for place, name in enumerate(inputs):
        used += max(map(len, table[name])) + 2
        if used > room and place:
            return place
    return len(inputs)


def _shown(name: str, value: object) -> str:
    """A cell: times to the second, errors by their beginning."""
    text = _cell(value)
    if name == "at":
        return text[:19].replace("T", " ")
    if name == "error" and len(text) > MOST_LETTERS:
        return f"{text[: MOST_LETTERS - 3]}..."
    return text


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list):
        return "[" + ", ".join(_cell(one) for one in value) + "]"
    return "" if value is None else str(value)


def _format_of(output: Path) -> str:
    if output.suffix not in FORMATS:
        raise InvalidInput("this file type is not known", got=output.name, allowed=", ".join(FORMATS))
    return FORMATS[output.suffix]


def _write(output: Path, body: bytes) -> None:
    temporary = output.with_name(f".{output.name}.part")
    try:
        temporary.write_bytes(body)
        temporary.replace(output)
    except OSError as error:
        raise InvalidInput(f"{output} cannot be written", got=error.strerror) from error
    print(f"wrote {output}", file=sys.stderr)
