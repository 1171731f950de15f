"""`lockgate annotate`: which rows to label next, who labelled what, and what became of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lockgate.cli.show import AsJson, new_group, print_json, print_pairs, print_table, progress
from lockgate.client import annotation as client
from lockgate.client.transport import connected
from lockgate.errors import InvalidInput

TOKEN = "LABEL_STUDIO_API_KEY"  # noqa: S105 - the name of a variable
STRATEGIES = "mixture, margin, entropy, disagreement, drift, diversity, suspect, cost, chance."
app = new_group("Pick rows to label, label them, and hand the labels on.")
Model = Annotated[str, typer.Argument(metavar="MODEL", show_default=False)]
BatchNumber = Annotated[int, typer.Argument(metavar="BATCH", show_default=False)]
Pool = Annotated[
    str | None, typer.Option(help="A data version, loans@3; else the log.", show_default="the log")
]
Since = Annotated[str, typer.Option(help="Of the log: how far back.")]
Target = Annotated[
    str | None, typer.Option(help="The column that is labelled.", show_default="the model's target")
]
Url = Annotated[str, typer.Option(help="Of a Label Studio server.", show_default=False)]


@app.command("list")
def show_all(
    model: Annotated[str | None, typer.Option(help="Only of this model.", show_default="all")] = None,
    as_json: AsJson = False,
) -> None:
    """Batches of items to label."""
    with connected() as lockgate:
        found = lockgate.get("/batches", model=model)
    if as_json:
        print_json(found)
        return
    rows = [(one["id"], one["model"], one["state"], f"{one['done']} of {one['items']}", one["disputed"] or "",
             one["asked"]["source"], one["outcome"] or one["asked"]["question"]) for one in found]  # fmt: skip
    print_table(("BATCH", "MODEL", "STATE", "LABELLED", "DISPUTED", "OUT OF", "WHAT"), rows,
                empty="no batches yet; next: lockgate annotate select MODEL --budget 100")  # fmt: skip


@app.command("select")
def select(
    model: Model,
    *,
    budget: Annotated[int | None, typer.Option(help="So many items.", show_default=False)] = None,
    money: Annotated[float | None, typer.Option(help="Or so much money, with --price.", show_default=False)] = None,
    price: Annotated[float | None, typer.Option(help="Of one answer of one person.", show_default=False)] = None,
    people: Annotated[int, typer.Option(help="How many label each item.")] = 1,
    pool: Pool = None,
    since: Since = "30d",
    until: Annotated[str | None, typer.Option(help="Of the log: up to when.", show_default="now")] = None,
    strategy: Annotated[str, typer.Option(help=STRATEGIES)] = "mixture",
    version: Annotated[str | None, typer.Option(help="Whose answers: live, 3, none.", show_default="live or newest")] = None,
    target: Target = None,
    classes: Annotated[str | None, typer.Option(help="yes,no: the labels that may be given.", show_default="the model's")] = None,
    text: Annotated[str | None, typer.Option(help="The column that people read.", show_default="the one of long text")] = None,
    picture: Annotated[str | None, typer.Option(help="Of the log: the input that people look at.", show_default="any")] = None,
    question: Annotated[str | None, typer.Option(help="What people are asked.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 0,
    new: Annotated[bool, typer.Option("--new", help="The model is yet to come: label before there is one.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Pick the rows that are worth labelling next: a batch."""
    asked = {"budget": budget, "money": money, "price": price, "people": people, "pool": pool, "since": since,
             "until": until, "text": text, "picture": picture, "strategy": strategy, "version": version, "target": target,
             "question": question, "seed": seed, "new": new,
             "classes": [one.strip() for one in classes.split(",")] if classes else None}  # fmt: skip
    with progress() as show:
        found = client.select(
            model, {name: value for name, value in asked.items() if value is not None}, progress=show
        )
    if as_json:
        print_json(found)
        return
    batch, picked = found["batch"], found["selection"]
    print(f"batch {batch['id']}: {batch['items']} of {picked['pool']} rows ({picked['labelled']} have a label, "
          f"{picked['repeated']} repeat others, {picked['near']} are nearly others)")  # fmt: skip
    for words in found["said"]:
        print(f"  {words}")
    rows = [
        (place, one["row"] + 1, one["reason"], one["words"])
        for place, one in enumerate(picked["items"][:20], start=1)
    ]
    print_table(("ITEM", "ROW", "REASON", "WHY"), rows)
    print(
        f"next: label them in the console under /annotate/{batch['id']}, or lockgate annotate export {batch['id']}"
    )


@app.command("show")
def show(batch: BatchNumber, as_json: AsJson = False) -> None:
    """How far a batch is, who labelled how much, how far they agree, what is disputed."""
    with connected() as lockgate:
        found = lockgate.get(f"/batches/{batch}")
    if as_json:
        print_json(found)
        return
    one, agreed = found["batch"], found["agreement"]
    print_pairs({
        "batch": f"{one['id']} of {one['model']}, {one['state']}", "question": one["asked"]["question"],
        "labelled": f"{one['done']} of {one['items']}, {one['disputed']} disputed", "out of": one["asked"]["source"],
        "people": ", ".join(f"{who} {count}" for who, count in found["progress"].items()) or "nobody yet",
        "by file": "; ".join(f"{who}, says {', '.join(by)}'s file" for who, by in found["stated"].items()),
        "not known here": ", ".join(found["unknown"]),
        "agreement": _agreed(agreed), "became": one["outcome"],
        "disputed": ", ".join(map(str, found["disputed"][:50])),
    })  # fmt: skip
    print_table(("PERSON", "AND", "ITEMS", "COHEN'S KAPPA"),
                [(*pair[:3], "" if pair[3] is None else f"{pair[3]:.2f}") for pair in agreed["pairs"]],
                empty="nobody labelled the same items yet")  # fmt: skip


@app.command("settle")
def settle(
    batch: BatchNumber,
    item: Annotated[int, typer.Argument(metavar="ITEM", show_default=False)],
    label: Annotated[str, typer.Argument(metavar="LABEL", show_default=False)],
    *,
    reason: Annotated[
        str, typer.Option(help="Why; those who labelled otherwise read it.", show_default=False)
    ],
    example: Annotated[bool, typer.Option(help="Put it into the instructions.")] = True,
    as_json: AsJson = False,
) -> None:
    """Settle a disputed item by one word; it becomes an example of the instructions."""
    with connected() as lockgate:
        body = {"label": label, "reason": reason, "example": example}
        found = lockgate.post(f"/batches/{batch}/items/{item}/settle", body)
    print_json(found) if as_json else print(f"item {item} of batch {batch} is {found['label']}")


@app.command("guide")
def guide(
    model: Model,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Text to write.", show_default=False)
    ] = None,
    number: Annotated[int | None, typer.Option("--version", help="An older version of them.", show_default="the newest")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show the instructions with their examples, or write their next version."""
    with connected() as lockgate:
        if file is not None:
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidInput(f"{file} cannot be read as text", got=error) from error
            lockgate.put(f"/models/{model}/guide", {"text": text})
        found = lockgate.get(f"/models/{model}/guide", number=number)
    if as_json:
        print_json(found)
    elif found is None:
        print(f"no instructions yet; next: lockgate annotate guide {model} FILE")
    else:
        print(f"version {found['number']} by {found['author']}\n\n{found['text'].rstrip()}")
        for each in found["examples"]:
            print(f"  {each['label']}: {each['why']} (item {each['item']})")


@app.command("export")
def export(
    batch: BatchNumber,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.", show_default="print")] = None,
    form: Annotated[str, typer.Option(help="csv, label-studio, label-studio-config.")] = "csv",
    embed: Annotated[bool, typer.Option("--embed", help="Pictures within the file, for Label Studio.")] = False,
    pictures: Annotated[
        Path | None, typer.Option(help="A folder that the pictures are written into; a CSV names them.", show_default=False)
    ] = None,
) -> None:  # fmt: skip
    """The open items for another tool."""
    with connected() as lockgate:
        body = client.export(lockgate, batch, form, embed=embed, pictures=pictures)
    if output is None:
        sys.stdout.write(body.decode())
        return
    try:
        output.write_bytes(body)
    except OSError as error:
        raise InvalidInput(f"{output} cannot be written", got=error.strerror) from error
    print(f"wrote {output}")


@app.command("import")
def bring(
    batch: BatchNumber,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Answers out of a CSV or Label Studio's JSON export: all of them, or none and the list of mistakes."""
    with progress() as update:
        _print_taken(client.bring(batch, file, progress=update), as_json=as_json)


@app.command("push")
def push(batch: BatchNumber, *, url: Url, embed: Annotated[bool, typer.Option("--embed", help="With pictures.")] = False,
         as_json: AsJson = False) -> None:  # fmt: skip
    """Make a project of the open items on a Label Studio server (its token in LABEL_STUDIO_API_KEY)."""
    with connected() as lockgate:
        project = client.push(lockgate, batch, url, os.environ.get(TOKEN, ""), embed=embed)
    print_json({"project": project}) if as_json else print(
        f"project {project}; next: lockgate annotate pull {batch} --project {project} --url {url}"
    )


@app.command("pull")
def pull(
    batch: BatchNumber, *, project: Annotated[int, typer.Option(help="Of Label Studio.", show_default=False)], url: Url,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Bring what was labelled in a Label Studio project."""
    with connected() as lockgate, progress() as update:
        found = client.pull(lockgate, batch, url, os.environ.get(TOKEN, ""), project, progress=update)
    _print_taken(found, as_json=as_json)


@app.command("finish")
def finish(batch: BatchNumber, as_json: AsJson = False) -> None:
    """Hand the labels on: to the log's labels, or as the next version of the data."""
    with connected() as lockgate, progress() as update:
        found = lockgate.wait(lockgate.post(f"/batches/{batch}/finish"), update)
    if as_json:
        print_json(found)
    else:
        became = found["data"] or "labels of the log"
        print(f"{found['labels']} labels of batch {batch} are {became}; {found['without']} items have none")


@app.command("worth")
def worth(
    model: Model, *, pool: Pool = None, since: Since = "30d", target: Target = None,
    more: Annotated[int, typer.Option(help="So many labels more.")] = 100, as_json: AsJson = False,
) -> None:  # fmt: skip
    """What the next labels are worth, by the labels that are there."""
    order: dict[str, Any] = {"budget": 1, "since": since, "version": "none"}
    order |= {name: value for name, value in (("pool", pool), ("target", target)) if value is not None}
    with progress() as update:
        found = client.worth(model, order, more, progress=update)
    if as_json:
        print_json(found)
        return
    print(found["words"])
    print_table(
        ("LABELS", "WRONG"), [(labels, f"{error:.1%}") for labels, error in found["points"]], empty=""
    )


def _agreed(found: dict[str, Any]) -> str:
    if found["agreed"] is None:
        return ""
    named = (("Krippendorff's alpha", found["alpha"]), ("Fleiss' kappa", found["fleiss"]))
    more = "".join(f", {name} {value:.2f}" for name, value in named if value is not None)
    return f"{found['agreed']:.0%} of {found['shared']} items{more}"


def _print_taken(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print(
        f"{found['new']} new, {found['corrected']} corrected, {found['repeated']} known, {found['skipped']} skipped"
    )
    for words in found.get("said", ()):
        print(words)
    if found["stood"]:
        print(f"{found['stood']} left out: these people said something else here themselves, and that stands")
