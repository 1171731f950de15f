"""`lockgate tune`: search for better parameters, look at what was found, and make a version of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from lockgate.cli.show import AsJson, counted, new_group, print_json, print_pairs, print_table, progress, when
from lockgate.cli.submit import pair
from lockgate.client import tune as client
from lockgate.client.transport import Connection, connected
from lockgate.tuning.report import about, lines_of, verdict_of, written
from lockgate.tuning.trial import SearchRow, Trial

SHOWN = 15
app = new_group("Search for better parameters of a model's pipeline.")
Which = Annotated[
    str, typer.Argument(metavar="SEARCH", help="Its number, or a model: its newest.", show_default=False)
]


@app.command("run")
def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of lockgate.yaml.", show_default=False)],
    *,
    trials: Annotated[int | None, typer.Option(help="How many, in all.", min=1, show_default="lockgate.yaml")] = None,
    time: Annotated[str | None, typer.Option(help="How long: 90min, 2h.", show_default="lockgate.yaml")] = None,
    cost: Annotated[float | None, typer.Option(help="How much money.", show_default="lockgate.yaml")] = None,
    price: Annotated[float | None, typer.Option(help="Of a worker's hour.", show_default="lockgate.yaml")] = None,
    workers: Annotated[int | None, typer.Option(help="Trials at once.", min=1, show_default="a core each")] = None,
    compute: Annotated[str | None, typer.Option(help="local, ray://HOST:10001.", show_default="config.yaml")] = None,
    goes_on: Annotated[bool, typer.Option("--resume", help="Go on with the model's newest search.")] = False,
    parameter: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", show_default=False,
                         help="A parameter of every trial.")] = None,
    data: Annotated[list[str] | None, typer.Option(metavar="NAME=FILE", show_default=False,
                    help="Another data set: a file or a data version (loans@3).")] = None,
    dirty: Annotated[bool | None, typer.Option("--dirty/--clean", help="Search with code that is not committed.",
                     show_default="--dirty for tier low")] = None,
    project: Annotated[Path | None, typer.Option(help="Another lockgate.yaml.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Try parameters until the budget is used; every trial is a recorded run, and none is given the test set."""
    said = {"trials": trials, "time": time, "cost": cost, "price_per_hour": price, "workers": workers}
    given = {name: value for name, value in said.items() if value is not None}
    with progress() as show:
        if goes_on:
            found = client.resume(
                model, more={**given, **({"compute": compute} if compute else {})}, progress=show
            )
        else:
            found = client.tune(
                model, settings=given, parameters=dict(pair(text, "parameter") for text in parameter or []), compute=compute,
                data={name: str(value) for name, value in (pair(text, "data set") for text in data or [])}, dirty=dirty,
                project=project, progress=show,
            )  # fmt: skip
    if as_json:
        print_json(found.json)
        return
    _print(found.json)


@app.command("list")
def show_all(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", show_default=False)] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Searches, the newest first."""
    with connected() as lockgate:
        rows = lockgate.get("/searches", model=model, limit=limit)
    if as_json:
        print_json(rows)
        return
    table = [(row["id"], row["order"]["model"], row["state"], when(row["started_us"]),
              ", ".join(goal["metric"] for goal in row["goals"]), row["end"]["words"]) for row in rows]  # fmt: skip
    print_table(
        ("SEARCH", "MODEL", "STATE", "STARTED", "AIMS", "ENDED"),
        table,
        empty="no searches yet; next: lockgate tune MODEL",
    )


@app.command("show")
def show(
    search: Which,
    html: Annotated[
        Path | None, typer.Option(help="Write the report with its plots there.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One search: the best trials, what it was judged on, what it cost."""
    with connected() as lockgate:
        number = _number(lockgate, search)
        found = lockgate.get(f"/searches/{number}")
        if html is not None:
            lockgate.download(f"/searches/{number}/report", html)
    if as_json:
        print_json(found)
        return
    _print(found)
    if html is not None:
        print(f"the report is in {html}")


@app.command("compare")
def compare(first: Which, second: Which, as_json: AsJson = False) -> None:
    """Two searches side by side: what was asked, what was found."""
    with connected() as lockgate:
        found = [lockgate.get(f"/searches/{_number(lockgate, name)}") for name in (first, second)]
    rows = differences(*found)
    if as_json:
        print_json([{"what": what, "first": one, "second": other} for what, one, other in rows])
        return
    print_table(("", *(f"SEARCH {each['search']['id']}" for each in found)), rows, empty="nothing differs")


@app.command("use")
def use(
    search: Which,
    *,
    trial: Annotated[int | None, typer.Option(help="Another than the best.", min=1, show_default="the best")] = None,
    shadow: Annotated[int, typer.Option(help="Validate so many of the best; they answer in shadow together.", min=0, max=10)] = 0,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Train with a trial's parameters on all training rows, and seal what comes of it."""
    with connected() as lockgate:
        number = _number(lockgate, search)
    with progress() as bar:
        made = client.use(number, trial=trial, shadow=shadow, progress=bar)
    if as_json:
        print_json(made)
        return
    for one in made:
        name = f"{one['version']['model']}/{one['version']['number']}"
        measured = ", ".join(f"{metric} {value:.4g}" for metric, value in one["metrics"].items())
        again = "" if one["new"] else ", sealed before"
        print(f"trial {one['trial']} is {name}{again}: on the test set {measured or 'not measured'}")
        for remark in (*one["remarks"], *([one["words"]] if one["words"] else [])):
            print(f"  {remark}")
        if not shadow:
            print(f"  next: lockgate validate {name}")
    if shadow:
        print(f"  next: lockgate release contenders {made[0]['version']['model']}")


@app.command("stop")
def stop(search: Which) -> None:
    """Let a running search end: trials under way are cut off, and tried again when it goes on."""
    with connected() as lockgate:
        number = _number(lockgate, search)
        lockgate.post(f"/searches/{number}/stop")
    print(f"search {number} was asked to stop; lockgate tune MODEL --resume lets it go on")


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Everything in which two searches differ, as text: how they were made, then what they found."""
    rows = []
    pages = [_facts(each) for each in (first, second)]
    for name in dict.fromkeys((*pages[0], *pages[1])):
        rows.append((name, *(page.get(name, "") for page in pages)))
    return [row for row in rows if row[1] != row[2]]  # type: ignore[misc]


def _facts(found: dict[str, Any]) -> dict[str, str]:
    search, trials = _read(found)
    space = search.order.tune.space
    told = {
        "space": space if isinstance(space, str) else ", ".join(space),
        "found": verdict_of(search, trials),
    }
    lines = lines_of(search, trials)
    best = {"best parameters": lines[0].parameters} if lines and lines[0].cells and lines[0].cells[0] else {}
    fixed = {
        "parameters": written(search.order.training.get("parameters", {})),
        "code": str(search.order.training.get("code"))[:19],
    }
    return {**about(search, trials), **told, **best, **fixed}


def _print(found: dict[str, Any]) -> None:
    search, trials = _read(found)
    print(verdict_of(search, trials))
    print()
    lines = lines_of(search, trials)
    goals = [goal.metric.upper() for goal in search.goals]
    rows = [(line.number, *line.cells, line.words, line.parameters) for line in lines[:SHOWN]]
    print_table(("TRIAL", *goals, "", "PARAMETERS"), rows, empty="no trial yet")
    if len(lines) > SHOWN:
        print(f"and {counted(len(lines) - SHOWN, 'more trial')}: --json, or --html FILE")
    print()
    print_pairs(about(search, trials))
    if any(line.cells and line.cells[0] for line in lines):
        print(f"\nnext: lockgate tune use {search.id}")


def _read(found: dict[str, Any]) -> tuple[SearchRow, list[Trial]]:
    return msgspec.convert(found["search"], SearchRow), msgspec.convert(found["trials"], list[Trial])


def _number(lockgate: Connection, named: str) -> int:
    return int(named) if named.isdigit() else client.newest(lockgate, named)
