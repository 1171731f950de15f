"""`lockgate alerts`: what is wrong now, what to do, and what people say to it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lockgate.cli.show import AsJson, new_group, print_json, print_pairs, print_table, when
from lockgate.client.transport import Connection, connected
from lockgate.errors import EXIT_STATUS, Unavailable

app = new_group("What is wrong now, and what to do.")
Number = Annotated[int, typer.Argument(metavar="ALERT", help="Its number.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; on record.")]
LISTED = ("ALERT", "SEVERITY", "STATE", "SINCE", "MODEL", "WHAT")


@app.command("list")
def show_all(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Only its own.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Open alerts, the newest change first."""
    with connected() as lockgate:
        found = lockgate.get("/alerts", model=model, every=every)
    if as_json:
        print_json(found)
        return
    print_table(
        LISTED,
        [
            (a["id"], a["severity"], a["state"], when(a["first_us"]), _place(a["model"]), a["title"])
            for a in found
        ],
        empty="no alert is open" if not every else "there was none yet",
    )
    if found and not every:
        print(f"\nlockgate alerts show {found[0]['id']} says what to do")


@app.command("show")
def show_one(number: Number, as_json: AsJson = False) -> None:
    """One alert: what is the case, what to do, what happened."""
    with connected() as lockgate:
        found = lockgate.get(f"/alerts/{number}")
    if as_json:
        print_json(found)
        return
    alert = found["alert"]
    print(
        f"{alert['title']} [{alert['severity']}, {alert['state']}]\n\n{alert['words']}\nNext: {alert['next']}\n"
    )
    print(f"{found['means']}\n")
    for place, step in enumerate(found["steps"], start=1):
        print(f"{place}. {step}")
    print(f"\n{found['over']}\n")
    print_pairs({"model": _place(alert["model"]), "since": when(alert["first_us"]), "handled by": alert["handled_by"],
                 "resolved": when(alert["resolved_us"]), "came back": alert["flaps"] or None})  # fmt: skip
    print()
    print_table(
        ("WHEN", "WHAT", "WHO", "WORDS"),
        [(when(e["at_us"]), e["what"], e["actor"], e["words"]) for e in found["events"]],
    )


@app.command("ack")
def acknowledge(number: Number, reason: Reason = "", as_json: AsJson = False) -> None:
    """Say that you look after it: nobody is reminded until it becomes worse."""
    _say(number, "acknowledge", reason, as_json=as_json)


@app.command("resolve")
def resolve(number: Number, reason: Reason = "", as_json: AsJson = False) -> None:
    """Say that it is over: while its cause stays as it is, it does not open again."""
    _say(number, "resolve", reason, as_json=as_json)


@app.command("sinks")
def sinks(as_json: AsJson = False) -> None:
    """The addresses that are told, and how they fare."""
    with connected() as lockgate:
        found = lockgate.get("/alert-sinks")
    if as_json:
        print_json(found)
        return
    print_table(
        ("NAME", "KIND", "FROM", "MODELS", "LAST SENT", "WAITING", "TROUBLE"),
        [(s["name"], s["kind"], s["least"], ", ".join(s["models"]), when(s["standing"]["sent_us"]), s["standing"]["waiting"],
          s["standing"]["trouble"]) for s in found],
        empty="none: alerts stand in the console alone; 'alerts.sinks' in config.yaml names addresses",
    )  # fmt: skip


@app.command("test")
def try_address(
    sink: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One address; else all.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send a message now and say whether it was taken."""
    with connected() as lockgate:
        if sink is not None:
            done = [lockgate.post(f"/alert-sinks/{sink}/test")]
        else:
            done = [_tried(lockgate, each["name"]) for each in lockgate.get("/alert-sinks")]
    if as_json:
        print_json(done)
    else:
        for each in done:
            print(f"{each['sink']}: {'taken' if each['taken'] else 'not taken: ' + each['trouble']}")
        if not done:
            print("no address is named under 'alerts.sinks' in config.yaml")
    if not all(each["taken"] for each in done):
        raise typer.Exit(EXIT_STATUS[Unavailable])


def _tried(lockgate: Connection, name: str) -> dict[str, Any]:
    """One address of all: that it took nothing keeps the others from no try."""
    try:
        done: dict[str, Any] = lockgate.post(f"/alert-sinks/{name}/test")
    except Unavailable as error:
        return {"sink": name, "taken": False, "trouble": str(error.got)}
    return done


def _say(number: int, word: str, reason: str, *, as_json: bool) -> None:
    with connected() as lockgate:
        found: dict[str, Any] = lockgate.post(f"/alerts/{number}/{word}", {"reason": reason})
    if as_json:
        print_json(found)
    else:
        print(f"alert {number} is {found['state']}: {found['title']}")


def _place(model: str) -> str:
    return "the box" if model == "*" else model
