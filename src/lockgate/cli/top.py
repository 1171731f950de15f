"""`lockgate top`: what is used of what, live in the terminal."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer

from lockgate.cli.show import AsJson, new_app, print_json, print_table
from lockgate.client.transport import connected
from lockgate.late import late
from lockgate.resources.words import size

app = new_app("Processor, memory, graphics cards, queues, log and disk, by model and process.")
live, consoles = late("rich.live"), late("rich.console")
EVERY_S = 2.0
MODELS = ("MODEL", "ARMS", "REQ/S", "FAILED/S", "P99 MS", "QUEUE", "CORES", "MEMORY", "GPU", "PROCESSES")
PROCESSES = ("PROCESS", "HOST", "PID", "CORES", "MEMORY", "GPU", "FILES", "THREADS", "UP")


@app.command()
def top(
    once: Annotated[bool, typer.Option("--once", help="Print it once.")] = False, as_json: AsJson = False
) -> None:
    """Every two seconds until Ctrl-C; once where nobody looks at a terminal."""
    with connected() as lockgate:
        found = lockgate.get("/resources")
        if as_json:
            print_json(found)
        elif once or not sys.stdout.isatty():
            print_text(found)
        else:
            _watch(lockgate, found)


def print_text(found: dict[str, Any]) -> None:
    """One sample as aligned text."""
    for line in _host_lines(found):
        print(line)
    print()
    print_table(MODELS, _models(found), empty="no model is loaded here")
    print()
    print_table(PROCESSES, _processes(found), empty="no process runs here")


def _watch(lockgate: Any, found: dict[str, Any]) -> None:
    """Redraw until Ctrl-C. The table is the one that `--once` prints."""
    console = consoles.Console()
    with live.Live(console=console, screen=True, auto_refresh=False) as screen:
        while True:
            with console.capture() as text:
                for line in _lines(found):
                    console.print(line, highlight=False, markup=False, no_wrap=True, overflow="crop")
            screen.update(_as_text(text.get()), refresh=True)
            time.sleep(EVERY_S)
            found = lockgate.get("/resources")


def _as_text(text: str) -> Any:
    return late("rich.text").Text.from_ansi(text)


def _lines(found: dict[str, Any]) -> list[str]:
    return [
        *_host_lines(found),
        "",
        *_aligned(MODELS, _models(found)),
        "",
        *_aligned(PROCESSES, _processes(found)),
    ]


def _aligned(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        for row in [head, *rows]
    ]


def _host_lines(found: dict[str, Any]) -> list[str]:
    lines = []
    for host in found["hosts"]:
        used = "?" if host["cpu_cores"] is None else f"{host['cpu_cores']:.2f}"
        lines.append(
            f"{host['host']}: {used} of {host['cores']} cores, load {host['load']:.2f}, memory {size(host['memory_bytes'])} of "
            f"{size(host['memory_total_bytes'])}, disk {size(host['disk_free_bytes'])} of {size(host['disk_total_bytes'])} free"
        )
        for card in host["gpus"]:
            busy = "" if card["busy_share"] is None else f", busy {card['busy_share']:.0%}"
            lines.append(
                f"  GPU {card['index']} {card['name']}: {size(card['memory_bytes'])} of {size(card['total_bytes'])}{busy}"
            )
    behind = {name: value for name, value in found["behind_bytes"].items() if value}
    if behind:
        lines.append(
            "still to read of the log: "
            + ", ".join(f"{name} {size(value)}" for name, value in behind.items())
        )
    return lines


def _models(found: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (f"{m['model']}/{m['version']}", ",".join(m["arms"]), f"{m['requests_per_s']:.1f}", f"{m['failed_per_s']:.1f}",
         "-" if m["p99_ms"] is None else f"{m['p99_ms']:g}", str(m["queue"]), f"{m['cpu_cores']:.2f}", size(m["memory_bytes"]),
         size(m["gpu_bytes"]) if m["gpu_bytes"] else "-", str(m["processes"] or "in the worker"))
        for m in found["models"]
    ]  # fmt: skip


def _processes(found: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = [(p, host["host"]) for host in found["hosts"] for p in host["processes"]]
    rows.sort(key=lambda row: -(row[0]["cpu_cores"] or 0.0))
    return [
        (p["name"], host, str(p["pid"]), "-" if p["cpu_cores"] is None else f"{p['cpu_cores']:.2f}", size(p["memory_bytes"]),
         size(p["gpu_bytes"]) if p["gpu_bytes"] else "-", "-" if p["open_files"] is None else str(p["open_files"]),
         str(p["threads"]), up_for(found["at_us"] - p["started_us"]))
        for p, host in rows
    ]  # fmt: skip


def up_for(length_us: int) -> str:
    """How long a process runs.

    >>> up_for(59_000_000), up_for(7_300_000_000)
    ('59 s', '2 h')
    """
    for unit_s, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if length_us >= unit_s * 1_000_000:
            return f"{length_us // (unit_s * 1_000_000)} {name}"
    return f"{max(length_us, 0) // 1_000_000} s"
