"""`lockgate drift`: what moved since the validation, and since last week, since when, and how much it matters."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lockgate.cli.show import AsJson, new_app, print_json, print_table, when
from lockgate.client.naming import model_only
from lockgate.client.transport import connected

app = new_app("What moved since the validation, since when, and how much it matters.")


@app.command()
def drift(
    model: Annotated[str, typer.Argument(help="A model.")],
    since: Annotated[str | None, typer.Option(help="Only chunks after: 1h, 7d, 2026-03-01.", show_default=False)] = None,
    version: Annotated[int | None, typer.Option(help="One version.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Inputs and answers of a model's versions, held against their validation."""
    with connected() as lockgate:
        shown = lockgate.get(f"/models/{model_only(model)}/drift", since=since)
    if version is not None:
        shown["versions"] = [each for each in shown["versions"] if each["version"] == version]
    if as_json:
        print_json(shown)
        return
    watcher = shown["watcher"]
    if watcher and watcher["error"]:
        print(f"the watcher failed {watcher['failures']} times in a row: {watcher['error']}")
    elif watcher and watcher["words"]:
        print(watcher["words"])
    for said in shown["notices"]:
        if said["ended_us"] is None:
            print(f"{said['notice']['severity']}: {said['notice']['words']}")
    if not shown["versions"]:
        print(
            f"nothing was recorded of {model} yet, or nobody has counted it; the monitor runs with lockgate up"
        )
    for each in shown["versions"]:
        _version(model_only(model), each, shown["chunk"])


def _version(model: str, shown: dict[str, Any], chunk: str) -> None:
    newest = shown["newest"]
    print()
    if newest is None:
        print(f"{model}/{shown['version']}: no chunk is whole yet ({chunk})")
        return
    print(f"{model}/{shown['version']}, newest chunk {when(newest['start_us'])[:16]} to {when(newest['until_us'])[:16]}, "
          f"{newest['rows']:,} rows, against {shown['reference']}")  # fmt: skip
    rows = [_row(column, "answer") for column in shown["answers"]]
    rows += [_row(column, "input") for column in shown["columns"]]
    print_table(("COLUMN", "KIND", "DISTANCE", "LAST WEEK", "MATTERS", "MISSING", "SINCE", "WHAT"), rows)
    for name, why in newest.get("broken", {}).items():
        print(f"'{name}' {why}")
    for words in newest.get("turned", ()):
        print(words)
    for words in () if newest.get("turned") else newest.get("week_turned", ()):
        print(f"since last week: {words}")
    if newest.get("season"):
        print(
            "expected by the season: "
            + ", ".join(f"{name} ({how})" for name, how in newest["season"].items())
        )
    if shown["left_out"]:
        print("not watched: " + ", ".join(f"{name} ({why})" for name, why in shown["left_out"].items()))
    if shown["cut_since_us"] is not None:
        print(
            f"chunks of {shown['cut']} since {when(shown['cut_since_us'])[:16]}, before that of {shown['cut_before']}"
        )
    if chunk != shown["cut"]:
        print(f"the next chunk will have {chunk}")
    if not shown["importance_known"]:
        print("how much inputs matter is not known: run the whole suite, lockgate validate "
              f"{model}/{shown['version']} --suite full")  # fmt: skip


def _row(column: dict[str, Any], kind: str) -> tuple[object, ...]:
    cause = column["cause"]
    matter = "" if column["matter"] is None else f"{column['matter']:.0%}"
    said = cause["words"] if cause else ""
    if cause and cause.get("explains") is not None and cause["explains"] >= 0.5:
        said += ", explains most of the answers' move"
    said = "; ".join(each for each in (said, column["jump_words"]) if each)
    first = cause or column["jump"]
    since = when(first["since_us"])[:10] if first else ""
    week = "" if column["week"] is None else f"{column['week']:.2f}"
    return (
        column["name"],
        kind,
        f"{column['effect']:.2f}",
        week,
        matter,
        f"{column['missing']:.1%}",
        since,
        said,
    )
