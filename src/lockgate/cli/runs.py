"""`lockgate runs`: what pipelines did, step by step, side by side."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from lockgate.cli.show import AsJson, new_group, print_json, print_pairs, print_table, when
from lockgate.cli.train import print_steps
from lockgate.client.transport import connected
from lockgate.packing.commit import NONE_KNOWN
from lockgate.pipelines.compared import differences
from lockgate.pipelines.run import Run

app = new_group("List, show and compare runs of pipelines.")
Number = Annotated[int, typer.Argument(metavar="RUN", min=1, show_default=False)]


@app.command("list")
def show_all(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", show_default=False)] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Runs, the newest first."""
    with connected() as lockgate:
        runs = lockgate.get("/runs", model=model, limit=limit)
    if as_json:
        print_json(runs)
        return
    print_table(
        ("RUN", "MODEL", "STATE", "VERSION", "STARTED", "TOOK", "DATA", "METRICS"),
        [
            (run["id"], run["made"]["model"], run["state"], run["version"], when(run["started_us"]), _took(run), _data(run),
             _metrics(run))
            for run in runs
        ],
        empty="no runs yet; next: lockgate train MODEL",
    )  # fmt: skip


@app.command("show")
def show(
    run: Number,
    words: Annotated[bool, typer.Option("--words", help="What the steps printed.")] = False,
    as_json: AsJson = False,
) -> None:
    """One run: what it was made of, its steps, how it ended."""
    with connected() as lockgate:
        found = lockgate.get(f"/runs/{run}")
        said = lockgate.get(f"/runs/{run}/words")["words"] if words else ""
    if as_json:
        print_json({**found, "words": said} if words else found)
        return
    _print(found)
    if words:
        print(f"\n{said or 'nothing was printed'}")


@app.command("compare")
def compare(first: Number, second: Number, as_json: AsJson = False) -> None:
    """What two runs have in common, and where they part."""
    with connected() as lockgate:
        runs = [lockgate.get(f"/runs/{number}") for number in (first, second)]
    rows = differences(*(msgspec.convert(run, Run) for run in runs))
    if as_json:
        print_json([{"what": what, "first": before, "second": after} for what, before, after in rows])
        return
    print_table(("", f"RUN {first}", f"RUN {second}"), rows, empty="nothing differs")


@app.command("clean")
def clean(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)],
    days: Annotated[float, typer.Option(help="Results that nobody wanted for that long.", min=0)] = 30.0,
) -> None:
    """Let go of kept results of steps; the next run makes them again."""
    with connected() as lockgate:
        gone = lockgate.delete(f"/models/{model}/steps", days=days)["removed"]
    print(f"{gone} kept results are gone")


def _print(run: dict[str, Any]) -> None:
    made, machine = run["made"], run["machine"]
    print_pairs(
        {
            "run": f"{run['id']} of {made['model']}, {run['state']}",
            "version": run["version"],
            "why": run["why"],
            "by": f"{run['author']}, {when(run['started_us'])}, {_took(run)}",
            "pipeline": made["pipeline"],
            "code": made["code"][:19],
            "commit": made["code_commit"] or NONE_KNOWN,
            "data": _data(run),
            "parameters": ", ".join(f"{k}={v}" for k, v in made["parameters"].items()),
            "seed": made["seed"],
            "environment": f"Python {made['python']}, {len(made['lock'])} pins",
            "machine": f"{machine['host']}, {machine['processor']}, {machine['cores']} cores",
            "metrics": _metrics(run),
        }
    )
    print()
    print_steps(run)
    if run["error"]:
        print(f"\n{run['error'].get('what')}")
        for name in ("got", "allowed", "fix"):
            if run["error"].get(name):
                print(f"  {'next' if name == 'fix' else name}: {run['error'][name]}")


def _took(run: dict[str, Any]) -> str:
    return f"{(run['ended_us'] - run['started_us']) / 1e6:.1f} s" if run["ended_us"] else ""


def _data(run: dict[str, Any]) -> str:
    return ", ".join(f"{used['name']}@{used['number']}" for used in run["made"]["data"].values())


def _metrics(run: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in run["metrics"].items())
