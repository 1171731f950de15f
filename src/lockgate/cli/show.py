"""What every verb prints with: JSON, tables, times, progress. Colours and bars only where a person is looking."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from lockgate.clock import iso

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def new_app(help_text: str) -> typer.Typer:
    """A verb or a group of verbs, without shell completion and without decoration that costs start-up time."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=False,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def new_group(help_text: str) -> typer.Typer:
    """A verb with commands below it, also when it has only one."""
    app = new_app(help_text)
    app.callback(help=help_text)(lambda: None)
    return app


def print_json(value: object) -> None:
    """A value as JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str = "nothing yet") -> None:
    """Rows in aligned columns; the last column is not padded, so lines can be cut and searched."""
    if not rows:
        print(empty)
        return
    cells = [[str(c) for c in columns], *([("" if c is None else str(c)) for c in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns) - 1)]
    for number, row in enumerate(cells):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        print(_bold(f"{line}  {row[-1]}" if widths else row[-1], number == 0))


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Names and values, one a line; values that are None or empty are left out."""
    shown = {name: value for name, value in pairs.items() if value not in (None, "", [], {})}
    width = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        print(f"{name:<{width}}  {value}")


def when(at_us: int | None) -> str:
    """A time for people, to the second."""
    return iso(at_us)[:19].replace("T", " ") if at_us else ""


def counted(number: int, thing: str) -> str:
    """A number of things.

    >>> counted(1, "fault"), counted(2, "fault")
    ('1 fault', '2 faults')
    """
    return f"{number} {thing}{'s' * (number != 1)}"


@contextmanager
def progress() -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Shows a job: a bar on a terminal, else one quiet line per phase, on standard error."""
    if sys.stderr.isatty():
        with _bar() as update:
            yield update
    else:
        yield _Lines()


class _Lines:
    def __init__(self) -> None:
        self._last = ""
        self._told: set[str] = set()

    def __call__(self, job: Mapping[str, Any]) -> None:
        if job["phase"] != self._last and job["state"] == "running":
            self._last = job["phase"]
            print(f"{job['kind']} {job['subject']}: {job['phase']}", file=sys.stderr, flush=True)
        for part in job.get("parts") or ():
            if part["state"] in ("done", "stopped") and part["check"] not in self._told:
                self._told.add(part["check"])
                print(
                    f"{job['kind']} {job['subject']}: check {part['check']} {part['state']}",
                    file=sys.stderr,
                    flush=True,
                )


@contextmanager
def _bar() -> Iterator[Callable[[Mapping[str, Any]], None]]:
    from rich.console import Console  # noqa: PLC0415 - start-up time of every other verb
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    parts = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
    )
    with Progress(*parts, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None, count="")
        own: dict[str, Any] = {}  # one bar a part, where parts run side by side

        def update(job: Mapping[str, Any]) -> None:
            count = f"{job['done']}/{job['total']}" if job["total"] else job["message"]
            bars.update(
                task, description=job["phase"], total=job["total"] or None, completed=job["done"], count=count
            )
            for part in job.get("parts") or ():
                name = part["check"]
                if name not in own:
                    own[name] = bars.add_task(f"  {name}", total=None, count="", start=False)
                _further(bars, own[name], part)

        yield update


def _further(bars: Any, task: Any, part: Mapping[str, Any]) -> None:
    """Move the bar of one part."""
    state = part["state"]
    if state == "waiting":
        bars.update(task, count="waits")
        return
    bars.start_task(task)
    ended = state in ("done", "stopped")
    total = (part["of"] or 1) if ended else (part["of"] or None)
    bars.update(task, total=total, completed=total if ended else part["done"], count=part["what"] or state)
    if ended:
        bars.stop_task(task)


def _bold(text: str, heading: bool) -> str:
    return f"\033[1m{text}\033[0m" if heading and sys.stdout.isatty() else text
