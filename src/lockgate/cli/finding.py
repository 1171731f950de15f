"""`lockgate finding` and `lockgate waive`: what people find themselves, and what they let pass."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from lockgate.cli.show import new_group
from lockgate.client.naming import version_path
from lockgate.client.transport import connected
from lockgate.errors import InvalidInput

app = new_group("Write findings of your own, and let blocking checks pass.")
Subject = Annotated[str, typer.Argument(metavar="VERSION", help="churn/3, churn.", show_default=False)]


@app.command("add")
def add(
    name: Subject,
    headline: Annotated[str, typer.Argument(metavar="SENTENCE", help="What was found.", show_default=False)],
    *,
    check: Annotated[str, typer.Option(help="A name for the question.")] = "review",
    subject: Annotated[str, typer.Option(help="What it is about.", show_default=False)] = "",
    status: Annotated[str, typer.Option(help="fail, warn or pass.")] = "fail",
    advice: Annotated[str, typer.Option(help="What to do.", show_default=False)] = "",
    blocks: Annotated[
        bool | None,
        typer.Option("--blocks/--no-blocks", help="Keep the release.", show_default="a failure does"),
    ] = None,
) -> None:
    """Write a finding about a validated version. It stands through later runs until you write it anew."""
    sent = {
        "check": check,
        "subject": subject,
        "status": status,
        "headline": headline,
        "advice": advice,
        "blocking": blocks,
    }
    with connected() as lockgate:
        found = lockgate.post(f"{version_path(name)}/findings", sent)
    print(f"written about {found['model']}/{found['version']} by {found['author']}: {headline}")


@app.command("waive")
def waive(
    name: Subject,
    check: Annotated[str, typer.Argument(metavar="CHECK", help="As validate names it.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why it may go on; it goes on record.", show_default=False)],
    *,
    owner: Annotated[str | None, typer.Option(help="Who sees to it.", show_default="you")] = None,
    until: Annotated[
        str | None, typer.Option(help="When it lapses: 2027-01-31.", show_default="in 90 days")
    ] = None,
) -> None:
    """Let a blocking check pass, where the policy allows it; the findings get a new digest, so approvals begin anew."""
    sent = {"check": check, "reason": reason, "owner": owner, "until_us": _day_us(until)}
    with connected() as lockgate:
        found = lockgate.post(f"{version_path(name)}/waivers", sent)
    waiver = next(each for each in found["waivers"] if each["check"] == check)
    ends = dt.datetime.fromtimestamp(waiver["until_us"] / 1e6, dt.UTC)
    print(
        f"{check} of {found['model']}/{found['version']} is waived by {found['author']} until {ends:%Y-%m-%d}"
    )


def _day_us(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput("this is no day", got=text, allowed="2027-01-31") from error
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp() * 1e6)
