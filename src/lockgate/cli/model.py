"""`lockgate model`: the inventory, and what is known of each version."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lockgate.cli.show import AsJson, new_group, print_json, print_pairs, print_table, when
from lockgate.client.naming import model_only, parts_of, version_path
from lockgate.client.transport import connected
from lockgate.errors import InvalidInput
from lockgate.registry.leadtime import duration

app = new_group("List, show, search and annotate models and versions.")
Subject = Annotated[
    str, typer.Argument(metavar="NAME", help="churn, churn/3, churn@live.", show_default=False)
]
Model = Annotated[str, typer.Argument(metavar="MODEL", show_default=False)]


@app.command("list")
def show_all(as_json: AsJson = False) -> None:
    """Every model: what is live, what runs, what waits."""
    with connected() as lockgate:
        models = lockgate.get("/models")
    if as_json:
        print_json(models)
        return
    print_table(
        ("MODEL", "TIER", "OWNER", "VERSIONS", "LIVE", "RELEASE", "WAITS FOR"),
        [
            (
                m["name"],
                m["tier"],
                m["owner"],
                m["versions"],
                _number(m, m["live"]),
                _release(m),
                m["waits_for"],
            )
            for m in models
        ],
        empty="no models yet; next: lockgate submit FILE --name NAME",
    )


@app.command("show")
def show(name: Subject, as_json: AsJson = False) -> None:
    """One model with its versions, or one version with its signature and findings."""
    model, word = parts_of(name)
    with connected() as lockgate:
        found = lockgate.get(version_path(name) if word else f"/models/{model}")
    if as_json:
        print_json(found)
    elif word:
        _print_version(found)
    else:
        _print_model(found)


@app.command("lead-time")
def lead_time(name: Subject, as_json: AsJson = False) -> None:
    """How long each gate took, and where a version waits now and for whom."""
    with connected() as lockgate:
        found = lockgate.get(f"{version_path(name)}/lead-time")
    if as_json:
        print_json(found)
        return
    print_table(
        ("GATE", "TOOK", "SHARE", "WAITED FOR"),
        [
            (step["gate"] + ("" if step["done"] else " (waits)"), duration(step["took_us"]), f"{step['share']:.0%}",
             step["waits_for"])
            for step in found["steps"]
        ],
    )  # fmt: skip
    print(f"in all {duration(found['total_us'])}{', live' if found['live'] else ''}")


@app.command("search")
def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Models and versions by words in names, tags, notes, owners and data."""
    with connected() as lockgate:
        hits = lockgate.get("/search", text=" ".join(words))
    if as_json:
        print_json(hits)
        return
    rows = [(hit["subject"], hit["field"], hit["snippet"]) for hit in hits]
    print_table(("WHAT", "WHERE", "TEXT"), rows, empty="nothing found")


@app.command("annotate")
def annotate(name: Subject, text: Annotated[str, typer.Argument(metavar="TEXT", show_default=False)]) -> None:
    """Write the notes of a version; the old text stays in the audit log."""
    with connected() as lockgate:
        version = lockgate.post(f"{version_path(name)}/notes", {"text": text})
    print(f"notes of {version['model']}/{version['number']} are written")


@app.command("tag")
def tag(
    name: Subject,
    tags: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="NAME= removes it.", show_default=False)
    ],
) -> None:
    """Set or remove tags of a model or a version."""
    changes = dict(map(_tag, tags))
    model, word = parts_of(name)
    with connected() as lockgate:
        left = lockgate.post(f"{version_path(name) if word else f'/models/{model}'}/tags", {"tags": changes})
    print(", ".join(f"{key}={value}" for key, value in left.items()) or "no tags")


@app.command("allow-name")
def allow_name(
    names: Annotated[list[str], typer.Argument(metavar="PACKAGE.MODULE.NAME...", show_default=False)],
    model: Annotated[str, typer.Option(help="For which model.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why it is safe; it goes on record.")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Take the names back.")] = False,
) -> None:
    """Let the scanner accept exact names in the pickles of one model."""
    path = f"/models/{model_only(model)}/allowed-names"
    with connected() as lockgate:
        for name in names:
            left = (
                lockgate.delete(f"{path}/{name}")
                if remove
                else lockgate.post(path, {"name": name, "reason": reason})
            )
    print(
        f"allowed for {model}: {', '.join(each['name'] for each in left) or 'nothing beyond the built-in list'}"
    )


def _print_model(found: dict[str, Any]) -> None:
    standing = found["standing"]
    print_pairs(
        {
            "model": standing["name"],
            "description": standing["description"],
            "tier": standing["tier"],
            "task": standing["task"],
            "owner": standing["owner"],
            "goal": standing["goal"],
            "live": _number(standing, standing["live"]),
            "release": _release(standing),
            "waits for": standing["waits_for"],
            "tags": ", ".join(f"{k}={v}" for k, v in standing["tags"].items()),
        }
    )
    print()
    print_table(
        ("VERSION", "STATE", "FRAMEWORK", "AUTHOR", "SUBMITTED", "NOTES"),
        [
            (
                v["name"],
                v["state"],
                v["framework"],
                v["author"],
                when(v["created_us"]),
                v["notes"].replace("\n", " "),
            )
            for v in found["versions"]
        ],
        empty=f"no version yet; next: lockgate submit FILE --name {standing['name']}",
    )


def _print_version(found: dict[str, Any]) -> None:
    version, manifest = found["version"], found["version"]["manifest"]
    compiled = manifest["compiled"]
    print_pairs(
        {
            "version": f"{version['model']}/{version['number']}",
            "package": version["digest"],
            "author": f"{version['author']}, {when(version['created_us'])}",
            "framework": f"{manifest['framework']} {manifest.get('framework_version') or ''}".strip(),
            "task": manifest["task"],
            "compiled": "yes" if compiled.get("path") else f"no: {compiled.get('reason')}",
            "inputs": ", ".join(f"{f['name']} {f['datatype']}" for f in manifest["signature"]["inputs"]),
            "outputs": ", ".join(f"{f['name']} {f['datatype']}" for f in manifest["signature"]["outputs"]),
            "data": ", ".join(f"{k} {v[:19]}" for k, v in manifest.get("data", {}).items()),
            "commit": manifest.get("code_commit"),
            "metrics": ", ".join(f"{k} {v:.4g}" for k, v in manifest.get("metrics", {}).items()),
            "notes": version["notes"],
            "tags": ", ".join(f"{k}={v}" for k, v in version["tags"].items()),
        }
    )
    validation = found["validation"]
    if validation is None:
        print(f"\nnot validated yet; next: lockgate validate {version['model']}/{version['number']}")
        return
    print(f"\nvalidated {when(validation['recorded_us'])} by {validation['author']}")
    for finding in validation["findings"]:
        print(f"  {finding['status']:<13} {finding['check']}: {finding['headline']}")


def _tag(text: str) -> tuple[str, str | None]:
    name, sign, value = text.partition("=")
    if not sign:
        raise InvalidInput("a tag is written NAME=VALUE", got=text, fix="NAME= removes it")
    return name, value or None


def _number(model: dict[str, Any], number: int | None) -> str:
    return f"{model['name']}/{number}" if number else ""


def _release(model: dict[str, Any]) -> str:
    running = model["release"]
    if not running:
        return ""
    share = f" {running['weight']:.0%}" if running["phase"] == "canary" else ""
    return f"{model['name']}/{running['version']} {running['phase']}{share}"
