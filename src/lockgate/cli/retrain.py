"""`lockgate retrain`: train a model again, see what happens next and what happened, approve beforehand."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

from lockgate.cli.show import AsJson, new_group, print_json, print_pairs, print_table, progress, when
from lockgate.client import retrain as client
from lockgate.errors import InvalidInput

app = new_group("Train a model again, by hand or by itself.")
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model that is live.", show_default=False)]
LISTED = ("RETRAINING", "MODEL", "ASKED", "FOR", "BY", "STATE", "VERSION", "WHAT CAME OF IT")


@app.command("start")
def start(
    model: Model,
    because: Annotated[str, typer.Option(help="Why; on record.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Train the live version's pipeline again on newer data, now: checks, comparison, release as ever."""
    with progress() as show:
        done = client.ask(model, because, progress=show)
    if as_json:
        print_json(done)
    else:
        _print_one(done)


@app.command("list")
def show_all(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Only its own.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 20,
    before: Annotated[
        int | None,
        typer.Option(min=1, metavar="NUMBER", help="Those older than this one.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Retrainings, the newest first."""
    found = client.every(model, limit=limit, before=before)
    if as_json:
        print_json(found)
        return
    print_table(LISTED, [
        (r["id"], r["model"], when(r["asked_us"]), r["trigger"], r["asked_by"], r["state"], r["version"] or "",
         (r["outcome"] or r["words"])[:80]) for r in found
    ], empty="nothing was trained again yet")  # fmt: skip
    if len(found) == limit:
        print(
            f"older ones, if any: lockgate retrain list {f'{model} ' if model else ''}--before {found[-1]['id']}"
        )


@app.command("show")
def show(
    what: Annotated[
        str, typer.Argument(metavar="MODEL|NUMBER", help="A model, or one retraining.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """What happens next with a model, and why; or one retraining."""
    found = client.one(int(what)) if what.isdecimal() else client.shown(what)
    if as_json:
        print_json(found)
    elif what.isdecimal():
        _print_one(found)
    else:
        _print_model(found)


@app.command("allow")
def allow(
    model: Model,
    *,
    reason: Annotated[str, typer.Option(help="Why; on record.", show_default=False)],
    at_least: Annotated[list[str] | None, typer.Option(metavar="FIGURE=NUMBER", show_default=False,
                        help="The whole interval of this figure lies above: gain=0, roc_auc=0.8.")] = None,
    at_most: Annotated[list[str] | None, typer.Option(metavar="FIGURE=NUMBER", show_default=False,
                       help="The whole interval of this figure lies below: mae=5.")] = None,
    days: Annotated[float, typer.Option(help="It ends after so many.")] = 90.0,
    releases: Annotated[int, typer.Option(help="It is used so often at most.")] = 6,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Approve beforehand what this very pipeline will make of the same data sets, where the tier's policy lets people."""
    bounds: dict[str, dict[str, float]] = {}
    for side, given in (("at_least", at_least), ("at_most", at_most)):
        for text in given or []:
            name, value = _bound(text)
            bounds.setdefault(name, {})[side] = value
    made = client.allow(model, bounds, reason=reason, days=days, releases=releases)
    if as_json:
        print_json(made)
        return
    print(
        f"standing approval {made['id']} of {model} holds until {when(made['terms']['expires_us'])}, for {releases} releases"
    )
    print(f"  code {made['terms']['code'][:19]}, bounds {', '.join(_bounds(made))}")
    print(f"  end it with: lockgate retrain revoke {made['id']}")


@app.command("revoke")
def revoke(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="A standing approval.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; on record.")] = "",
    as_json: AsJson = False,
) -> None:
    """End a standing approval; what it approved stays approved."""
    done = client.revoke(number, reason)
    if as_json:
        print_json(done)
    else:
        print(f"standing approval {number} of {done['model']} says nothing any more")


def _print_one(one: dict[str, Any]) -> None:
    print(
        f"retraining {one['id']} of {one['model']} is {one['state'].replace('_', ' ')}\n\nWhy: {one['words']}"
    )
    if one["outcome"]:
        print(f"So far: {one['outcome']}")
    if one["reach"]:
        print(f"How far back: {one['reach']['words']}")
    print()
    print_pairs({
        "asked": when(one["asked_us"]), "by": one["asked_by"], "for": one["trigger"], "attempt": one["attempt"],
        "live then": f"{one['model']}/{one['champion']}", "data": ", ".join(f"{k}: {v}" for k, v in one["data"].items()) or None,
        "tested on": f"its newest rows, from {one['cut']['since'][:16].replace('T', ' ')} on" if one["cut"] else None,
        "run": one["run"], "version": f"{one['model']}/{one['version']}" if one["version"] else None, "release": one["release"],
        "computed": f"{one['compute_s']:.0f} s", "ended": when(one["ended_us"]) if one["ended_us"] else None,
    })  # fmt: skip


def _print_model(found: dict[str, Any]) -> None:
    print(found["next"])
    for note in found["notes"]:
        print(f"  {note}")
    if found["retrainings"]:
        print()
        print_table(("RETRAINING", "ASKED", "FOR", "STATE", "VERSION", "WHAT CAME OF IT"), [
            (r["id"], when(r["asked_us"]), r["trigger"], r["state"], r["version"] or "", (r["outcome"] or r["words"])[:80])
            for r in found["retrainings"]
        ])  # fmt: skip
    if found["more"]:
        print(f"older ones: lockgate retrain list {found['model']} --before {found['retrainings'][-1]['id']}")
    if found["standings"]:
        print()
        print_table(("STANDING", "BY", "BOUNDS", "USED", "UNTIL", ""), [
            (s["standing"]["id"], s["standing"]["allowed_by"], ", ".join(_bounds(s["standing"])),
             f"{len(s['standing']['used'])} of {s['standing']['terms']['releases']}", when(s["standing"]["terms"]["expires_us"]),
             s["over"]) for s in found["standings"]
        ])  # fmt: skip


def _bound(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput("a bound is a figure and a number", got=text, allowed="gain=0, roc_auc=0.8")
    return name, number


def _bounds(standing: dict[str, Any]) -> list[str]:
    words = {"at_least": "at least", "at_most": "at most"}
    return [
        f"{name} {words[side]} {value:g}"
        for name, bound in standing["terms"]["bounds"].items() for side, value in bound.items() if side in words
    ]  # fmt: skip
