"""What versions in shadow say: the verdict in words, and versions that contend without a release."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lockgate.cli.show import AsJson, print_json, print_table, when
from lockgate.client import releases

Target = Annotated[str, typer.Argument(metavar="MODEL", help="churn, or churn/3.", show_default=False)]
Why = Annotated[str, typer.Option(help="Why; it goes on record.", show_default=False)]


def contend(
    versions: Annotated[
        list[str], typer.Argument(metavar="VERSION...", help="churn/5 churn/6.", show_default=False)
    ],
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Let validated versions answer live's requests in shadow together; no caller sees it, and nothing is released."""
    made = []
    for version in versions:
        one = releases.contend(version, reason)
        made.append(one)
        if not as_json:  # at once: another may be refused
            print(f"{one['model']}/{one['version']} contends until {when(one['until_us'])}")
    if as_json:
        print_json(made)
        return
    print(f"  next: lockgate release contenders {made[0]['model']}")


def contenders(
    model: Target,
    *,
    whole: Annotated[bool, typer.Option("--whole", help="Everything that the shadow says of each.")] = False,
    as_json: AsJson = False,
) -> None:
    """Versions that answer in shadow, side by side: what each would decide differently, and how right it was."""
    found = releases.contenders(model)
    if as_json:
        print_json(found)
        return
    print_table(("VERSION", "STATE", "ROWS", "CHANGED", "LABELLED", "RIGHT", "LIVE", "REASON"), list(map(_contender, found)),
                empty="nobody contends: lockgate release contend MODEL/NUMBER")  # fmt: skip
    for one in found:
        for words in (*one["words"], *([one["shadow"]["sentence"]] if one["shadow"] else [])):
            print(f"\n{one['contender']['model']}/{one['contender']['version']}: {words}")
        if whole and one["shadow"]:
            print_shadow(one["shadow"])


def withdraw(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="churn/5.", show_default=False)],
    reason: Why,
    as_json: AsJson = False,
) -> None:
    """Take a version out of the shadow."""
    done = releases.withdraw(version, reason)
    if as_json:
        print_json(done)
        return
    print(f"{done['model']}/{done['version']} does not contend any more")


def print_shadow(told: dict[str, Any]) -> None:
    """A shadow verdict for people: sentence, segments, costs, the requests that differ most."""
    print(told["sentence"])
    if told["segments"]:
        print()
        print_table(("WHERE", "ROWS", "CHANGED", "BETWEEN", "ELSEWHERE"),
                    [(s["words"], s["pairs"], f"{s['flips']:.1%}", f"{s['low']:.1%} and {s['high']:.1%}",
                      f"{s['elsewhere']:.1%}") for s in told["segments"]])  # fmt: skip
    if told["costs"]:
        print()
        print_table((f"COST OF {told['costs'][0]['decisions']:,} DECISIONS BY", "ROWS", "CHANGE", "BETWEEN"),
                    [(c["basis"], c["rows"], f"{c['change']:+.4g}",
                      "too few rows yet" if c["low"] is None else f"{c['low']:+.4g} and {c['high']:+.4g}")
                     for c in told["costs"]])  # fmt: skip
    if told["largest"]:
        print()
        print_table(("REQUEST", "OLD", "NEW", "SENT"),
                    [(one["id"], _answered(one, "old"), _answered(one, "new"),
                      ", ".join(f"{name} {value}" for name, value in one["inputs"].items()))
                     for one in told["largest"]])  # fmt: skip


def _contender(one: dict[str, Any]) -> tuple[str, ...]:
    """A contender's line. RIGHT and LIVE: share of right answers on labelled rows, or the mean absolute error (pinball loss)."""
    who, shadow, known = one["contender"], one["shadow"], one["labelled"]
    changed = f"{1 - shadow['agreement']:.1%}" if shadow and shadow["pairs"] else ""
    right = [f"{known[side]:.2%}" if known["measure"] == "accuracy" else f"{known['measure']} {known[side]:.4g}"
             for side in ("contender", "live")] if known else ["", ""]  # fmt: skip
    rows, labelled = (
        str(each) if each else "" for each in (shadow and shadow["pairs"], known and known["rows"])
    )
    return (
        f"{who['model']}/{who['version']}",
        one["state"],
        rows,
        changed,
        labelled,
        *right,
        who["reason"] or who["words"],
    )


def _answered(one: dict[str, Any], side: str) -> str:
    """A decision, with its score where that says more."""
    score = one[f"{side}_score"]
    return str(one[side]) if score is None or f"{score:g}" == str(one[side]) else f"{one[side]} ({score:.3g})"
