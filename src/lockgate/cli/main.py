"""`lockgate`: finds the verb, imports only that verb's file, and turns every error into a sentence and an exit status.

`--home DIR` may stand anywhere and names the home folder for this call. `lockgate --help` needs no library at all.
"""

from __future__ import annotations

import difflib
import importlib
import os
import secrets
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from lockgate.cli.interrupt import STATUS as INTERRUPTED
from lockgate.cli.interrupt import Interrupted, interruptible, leave
from lockgate.errors import InvalidInput, LockgateError, exit_status

BROKEN_PIPE = 141
INTERNAL = 70  # EX_SOFTWARE of sysexits.h: a defect of ours


@dataclass(frozen=True)
class Verb:
    """Where a verb lives and what it does.

    `default`: the command meant when none of the group's is named. `command`: the verb is this command of the group.
    """

    module: str
    help: str
    group: str
    default: str | None = None
    command: str | None = None


START, BUILD, RELEASE, LOOK, GOVERN = "Start", "Build", "Release", "Look", "Govern"
VERBS: dict[str, Verb] = {
    "new": Verb("new", "write a project that runs at once, or turn a notebook into one", START),
    "init": Verb("start", "write a commented lockgate.yaml", START),
    "up": Verb("up", "start console, gateway and everything behind them", START),
    "gateway": Verb("gateway", "serve here what a control plane elsewhere says", START),
    "doctor": Verb("doctor", "say what this machine can do and what it cannot", START),
    "environments": Verb("environments", "list and remove what models run in on this machine", START, "list"),
    "schema": Verb("schema", "print the JSON Schema of lockgate.yaml for editors", START),
    "data": Verb("data", "add, show, compare and split data sets", BUILD, "list"),
    "annotate": Verb("annotate", "pick rows to label, label them, hand the labels on", BUILD, "list"),
    "train": Verb("train", "run a pipeline and seal what it makes", BUILD),
    "tune": Verb("tune", "search for better parameters of a pipeline", BUILD, "run"),
    "retrain": Verb("retrain", "train a live model again on newer data", BUILD, "start"),
    "runs": Verb("runs", "list, show and compare runs of pipelines", BUILD, "list"),
    "reproduce": Verb("reproduce", "build a version again and compare", BUILD),
    "submit": Verb("submit", "turn a model file into a sealed version", BUILD),
    "validate": Verb("validate", "run the checks on a version", BUILD),
    "backtest": Verb("backtest", "hold a version against the recorded past", BUILD),
    "compare": Verb("compare", "versions side by side, what got worse first", BUILD),
    "finding": Verb("finding", "write a finding of your own", BUILD),
    "waive": Verb("finding", "let a blocking check pass, for a while", BUILD, command="waive"),
    "model": Verb("model", "list, show, search and annotate models", BUILD, "list"),
    "score": Verb("score", "score a table with a version", BUILD),
    "labels": Verb("labels", "hand in what really happened", BUILD),
    "release": Verb("release", "start, watch and steer a release", RELEASE, "start"),
    "approve": Verb("release", "say yes to a release, after its shadow", RELEASE, command="approve"),
    "reject": Verb("release", "say no to a release", RELEASE, command="reject"),
    "hold": Verb("release", "stop a release where it is", RELEASE, command="hold"),
    "resume": Verb("release", "let a held release go on", RELEASE, command="resume"),
    "rollback": Verb("release", "take the new version out, at once", RELEASE, command="rollback"),
    "promote": Verb("release", "skip the rest of a canary or a watch", RELEASE, command="promote"),
    "status": Verb("status", "what runs, what is live, what waits for whom", LOOK),
    "drift": Verb("drift", "what moved since the validation, and how much it matters", LOOK),
    "top": Verb("top", "what is used of what, by model and process", LOOK),
    "alerts": Verb("alerts", "what is wrong now, and what to do", LOOK, "list"),
    "log": Verb("log", "ask the prediction log, export it, erase a person", LOOK, "show"),
    "performance": Verb("performance", "how well a model does over time", LOOK, "show"),
    "audit": Verb("audit", "show and verify the audit log", LOOK, "show"),
    "person": Verb("person", "add and list people", GOVERN, "list"),
    "grant": Verb("grant", "give a person a role, or take it away", GOVERN),
    "key": Verb("key", "create, list and revoke API keys", GOVERN, "list"),
    "policy": Verb("policy", "show and set what each tier asks", GOVERN, "show"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit status. Never shows a traceback for what people can do wrong."""
    with interruptible() as interrupted:
        try:
            return _status(list(sys.argv[1:] if argv is None else argv), interrupted)
        finally:
            if interrupted:  # whatever a library made of it
                leave()


def _status(argv: list[str], interrupted: Interrupted) -> int:
    try:
        status = _run(_take_home(argv))
        sys.stdout.flush()
    except LockgateError as error:
        return INTERRUPTED if interrupted else _say(error)
    except BrokenPipeError:  # somebody piped us into `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the net below all verbs
        return INTERRUPTED if interrupted else _say_defect(error)
    return status


def help_text() -> str:
    """All verbs by group."""
    lines = ["lockgate: a model goes from a file to guarded production.", "", "  lockgate VERB ...", ""]
    wide = max(map(len, VERBS))
    for group in (START, BUILD, RELEASE, LOOK, GOVERN):
        lines.append(f"{group}:")
        lines += [f"  {name:<{wide}} {verb.help}" for name, verb in VERBS.items() if verb.group == group]
        lines.append("")
    lines += [
        "Anywhere:",
        "  --home DIR   the home folder (else LOCKGATE_HOME, else ./.lockgate)",
        "  --help       of any verb",
        "  --version",
        "",
        "LOCKGATE_URL and LOCKGATE_KEY: speak to the lockgate there, as the person of the key.",
    ]
    return "\n".join(lines)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(help_text())
        return 0
    if arguments[0] == "--version":
        print(f"lockgate {importlib.import_module('importlib.metadata').version('lockgate')}")
        return 0
    name, rest = arguments[0], arguments[1:]
    verb = VERBS.get(name)
    if verb is None:
        near = difflib.get_close_matches(name, VERBS, n=1)
        fix = f"did you mean 'lockgate {near[0]}'? " if near else ""
        raise InvalidInput(f"there is no verb '{name}'", fix=f"{fix}lockgate --help lists all")
    app = importlib.import_module(f"lockgate.cli.{verb.module}").app
    if verb.default is not None:
        rest = _with_default(rest, {command.name for command in app.registered_commands}, verb.default)
    program = f"lockgate {name}"
    if verb.command is not None:
        rest, program = [verb.command, *rest], "lockgate"
    try:
        app(args=rest, prog_name=program)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _with_default(rest: list[str], known: set[str | None], default: str) -> list[str]:
    """`lockgate release churn/3` means `lockgate release start churn/3`; `lockgate model` means `lockgate model list`."""
    words = [word for word in rest if not word.startswith("-")]
    if (words and words[0] in known) or any(word in ("--help", "-h") for word in rest):
        return rest
    return [default, *rest]


def _take_home(arguments: list[str]) -> list[str]:
    """Take `--home DIR` out of the words, wherever it stands, and into the environment."""
    left: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--home":
            home = next(words, None)
        elif word.startswith("--home="):
            home = word.removeprefix("--home=")
        else:
            left.append(word)
            continue
        if not home:
            raise InvalidInput("--home needs a folder", fix="lockgate --home DIR VERB ...")
        os.environ["LOCKGATE_HOME"] = str(Path(home).expanduser())
        os.environ.pop(
            "LOCKGATE_URL", None
        )  # a folder named here and now wins over an address in the environment
    return left


def _say(error: LockgateError) -> int:
    print(f"lockgate: {error.what}", file=sys.stderr)
    for name, value in (("received", error.got), ("allowed", error.allowed), ("next", error.fix)):
        if value:
            print(f"  {name}: {value}", file=sys.stderr)
    return exit_status(error)


def _say_defect(error: BaseException) -> int:
    number = secrets.token_hex(6)
    folder = Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - only this very text goes there, under a random name
    place = folder / f"lockgate-{number}.txt"
    try:
        place.write_text("".join(traceback.format_exception(error)))
    except OSError:
        traceback.print_exception(error)
    print(f"lockgate: internal error {number} ({type(error).__name__})", file=sys.stderr)
    print(f"  next: report it with the file {place}", file=sys.stderr)
    return INTERNAL


if __name__ == "__main__":
    sys.exit(main())
