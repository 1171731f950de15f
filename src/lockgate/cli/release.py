"""`lockgate release`: start, watch and steer a release."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer
import yaml

from lockgate.cli.shadow import Target, Why, contend, contenders, print_shadow, withdraw
from lockgate.cli.show import AsJson, new_group, print_json, print_pairs, print_table, when
from lockgate.client import releases
from lockgate.client.naming import parts_of
from lockgate.errors import InvalidInput
from lockgate.tuning.budget import seconds_of
from lockgate.yamlfile import load_yaml

app = new_group("Start, watch and steer a release. `lockgate release churn/3` starts one.")
WATCH_S = 1.0


@app.command("start")
def start(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="churn/3.", show_default=False)],
    *,
    reason: Why = "",
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", show_default=False,
                        help="A release setting for this once, as in canary=[10%,50%].")] = None,
    python: Annotated[str | None, typer.Option(help="The model's interpreter.", show_default=False)] = None,
    supersede: Annotated[bool, typer.Option("--supersede", help="End a running release first.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what it would do, see and not see.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Start the release of a validated version; the plan is printed. While another one runs, it waits in the queue."""
    if plan:
        _show_plan(version, settings, as_json=as_json)
        return
    made = releases.start(
        version, reason, settings=dict(map(_setting, settings or [])), python=python, supersede=supersede
    )
    if as_json:
        print_json(made)
        return
    if made.get("state") == "waiting":
        print(f"{made['model']}/{made['version']} waits: its release begins when the one that runs has ended")
        print(f"  next: lockgate release queue {made['model']}")
        return
    print(f"release {made['id']} of {made['model']}/{made['version']} is started")
    _print_plan(made["plan"])
    print(f"  next: lockgate release status {made['model']} --watch")


def _show_plan(version: str, settings: list[str] | None, *, as_json: bool) -> None:
    """The plan of a release that is not started."""
    if settings:
        raise InvalidInput(
            "--plan goes by the settings that are stored",
            got="--set with --plan",
            fix="write them under release: in lockgate.yaml; a release that is started with --set prints its plan",
        )
    found = releases.plan(version)
    if as_json:
        print_json(found)
        return
    print(f"a release of {version} would go so; nothing is started")
    _print_plan(found)
    print(f"  next: lockgate release {version}")


def _print_plan(plan: dict[str, Any]) -> None:
    """What it does, what its guards see and after how long, and what goes unseen."""
    for sentence in plan["sentences"]:
        print(f"  {sentence}")
    for title, told in (("What its guards see:", "will_see"), ("What this plan cannot see:", "cannot_see")):
        if plan[told]:
            print(title)
        for sentence in plan[told]:
            print(f"  {sentence}")


@app.command("status")
def status(
    model: Target,
    *,
    number: Annotated[int | None, typer.Option(help="An earlier release.", show_default=False)] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Where a release stands, in words: phase, weight, verdicts, what it waits for."""
    name = parts_of(model)[0]
    if watch:
        _follow(name, number)
        return
    found = releases.status(name, number)
    told = releases.shadow(name, found["release"]["id"]) if found["release"]["plan"]["shadow"] else None
    if as_json:
        print_json({**found, "shadow": told})
        return
    print_release(found)
    if told is not None:
        print(f"\nShadow: {told['sentence']}")
        print(f"  everything about it: lockgate release shadow {name}")


@app.command("shadow")
def shadow(
    model: Target,
    *,
    number: Annotated[int | None, typer.Option(help="An earlier release.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """What would be decided differently, where, at which cost, and the requests that differ most."""
    name = parts_of(model)[0]
    told = releases.shadow(name, number)
    if as_json:
        print_json(told)
    elif told is None:
        print("this release has no shadow: it is a first version, or the model is not pure")
    else:
        print_shadow(told)


@app.command("queue")
def queue(model: Target, as_json: AsJson = False) -> None:
    """Versions that wait for the running release to end, and what became of earlier ones."""
    found = releases.queue(model)
    if as_json:
        print_json(found)
        return
    print_table(("VERSION", "STATE", "ASKED", "BY", "REASON", "WORDS"),
                [(f"{p['model']}/{p['version']}", p["state"], when(p["asked_us"]), p["author"], p["reason"],
                  f"release {p['release']}" if p["release"] else p["words"]) for p in found],
                empty="nothing waits")  # fmt: skip


for _name, _verb in (("contend", contend), ("contenders", contenders), ("withdraw", withdraw)):
    app.command(_name)(_verb)


@app.command("hold")
def hold(model: Target, reason: Why, as_json: AsJson = False) -> None:
    """Stop it where it is: the weight stays, the guards stay armed."""
    _say(releases.act("hold", model, reason), as_json)


@app.command("resume")
def resume(model: Target, reason: Why, as_json: AsJson = False) -> None:
    """Let a held release go on; past a guard that fired two people are needed."""
    _say(releases.act("resume", model, reason), as_json)


@app.command("rollback")
def rollback(model: Target, reason: Why, as_json: AsJson = False) -> None:
    """Take the new version out, at once; returns when every gateway obeys. A first version leaves the model unanswered."""
    done = releases.act("rollback", model, reason)
    _say(done, as_json)
    if not as_json and done["release"]["phase"] == "rolled_back":
        before, name = done["release"]["previous"], done["release"]["model"]
        print(f"  {name}/{before} answers every request again" if before else
              f"  it was the first version: {name} is out of service until a version is released")  # fmt: skip


@app.command("promote")
def promote(model: Target, reason: Why, as_json: AsJson = False) -> None:
    """Skip what is left of the canary or of the watch; two people are needed, one for a watch in the low tier."""
    _say(releases.act("promote", model, reason), as_json)


@app.command("cancel")
def cancel(model: Target, reason: Why, as_json: AsJson = False) -> None:
    """Take a release back before it has traffic, or a version (churn/4) off the queue."""
    _say(releases.act("cancel", model, reason), as_json)


@app.command("extend")
def extend(
    model: Target,
    time_: Annotated[str, typer.Argument(metavar="TIME", help="How much longer: 90min, 6h, 2d.")],
    reason: Why,
    as_json: AsJson = False,
) -> None:
    """Let it be in its shadow, its stage or its watch for so much longer; a held release goes on with that time."""
    _say(releases.act("extend", model, reason, seconds=seconds_of(time_)), as_json)


@app.command("weight")
def weight(
    model: Target,
    share: Annotated[str, typer.Argument(metavar="SHARE", help="2%, 0%, or: planned.")],
    reason: Why,
    as_json: AsJson = False,
) -> None:
    """Lower the canary's share of the traffic, or bring it back; it stays in its stage until it has the planned one again."""
    _say(releases.act("weight", model, reason, weight=_share(share)), as_json)


@app.command("approve")
def approve(model: Target, reason: Why = "", as_json: AsJson = False) -> None:
    """Say yes to the release's very package, data, findings and policy."""
    _say(releases.act("approve", model, reason), as_json)


@app.command("reject")
def reject(model: Target, reason: Why, as_json: AsJson = False) -> None:
    """Say no: the release ends."""
    _say(releases.act("reject", model, reason), as_json)


def _say(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    release = done["release"]
    print(f"release {release['id']} of {release['model']}/{release['version']}: {release['phase']}")
    if done["words"]:
        print(f"  {done['words']}")
    if done["waits_for"]:
        print(f"  waits for {done['waits_for']}")


def print_release(found: dict[str, Any]) -> None:
    """A release for people: phase, weight, verdicts, moves."""
    release, state = found["release"], found["status"]
    held = f" (from {release['held_from']})" if release["held_from"] else ""
    print_pairs(
        {
            "release": f"{release['id']} of {release['model']}/{release['version']}",
            "phase": f"{release['phase']}{held}, since {when(release['phase_us'])}",
            "traffic": f"{found['weight']:.0%} to {release['model']}/{release['version']}{_by_hand(release)}",
            "live": f"{release['model']}/{found['live']}" if found["live"] else "none",
            "reason": release["reason"],
            "now": state["reason"] if state else "no controller has looked at it yet",
            "shadow": "; ".join(found["shadow_words"]),
            "blocked": found["blocked"],
            "waiting": ", ".join(f"{place['model']}/{place['version']}" for place in found["queue"]),
            "approval": found["approval_words"],
            "seen": f"{state['requests']} requests, {state['pairs']} shadow pairs, "
            f"{state['fallbacks']} answered by live in its place" if state else None,
        }
    )  # fmt: skip
    if found["verdicts"]:
        print()
        print_table(("GUARD", "VERDICT", "IN WORDS"),
                    [(v["guard"], v["label"], v["sentence"]) for v in found["verdicts"]])  # fmt: skip
    print()
    print_table(("MOVE", "TIME", "WHO", "PHASE", "WEIGHT", "REASON"),
                [(m["seq"], when(m["at_us"]), m["actor"], m["phase"], f"{m['weight']:.0%}", m["reason"])
                 for m in found["moves"]])  # fmt: skip


def _by_hand(release: dict[str, Any]) -> str:
    return "" if release["lowered"] is None else ", lowered by hand"


def _follow(model: str, number: int | None) -> None:
    """One line per change until the release ends; that of the next in the queue is another one."""
    seen: tuple[object, ...] = ()
    while True:
        found = releases.status(model, number)
        release, state = found["release"], found["status"]
        number = release["id"]
        now = (release["phase"], found["weight"], state["reason"] if state else "", found["blocked"])
        if now != seen:
            seen = now
            words = now[2] or release["reason"] or found["blocked"] or ""
            line = f"{when(release['phase_us'])}  {release['phase']:<12} {found['weight']:>4.0%}  {words}"
            print(line.rstrip(), flush=True)
        if not found["running"]:
            if release["phase"] != "done":
                print(f"release {release['id']} ended: {release['phase']}", file=sys.stderr)
                raise typer.Exit(1)
            return
        time.sleep(WATCH_S)


def _share(text: str) -> float | None:
    """A share of the traffic; None: the planned one."""
    if text == "planned":
        return None
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise InvalidInput("this is no share of the traffic", got=text, allowed="2%, 0.02, 0%, planned")
    return share


def _setting(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    try:
        if sign:
            return name.strip(), load_yaml(value)
    except yaml.YAMLError as error:
        raise InvalidInput(f"the value of {name} cannot be read", got=value) from error
    raise InvalidInput("a setting is written NAME=VALUE", got=text, fix="--set watch_s=600")
