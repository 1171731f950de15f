"""The story so far, told while it happens and once more as a timeline at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass
class Story:
    """Lines with their times; steps are numbered as in the README."""

    console: Console = field(default_factory=lambda: Console(highlight=False))
    started: float = field(default_factory=time.monotonic)
    lines: list[tuple[float, str, str]] = field(default_factory=list)

    def step(self, title: str) -> None:
        """A new chapter."""
        self._tell("step", title)
        self.console.print(f"\n[bold]{title}[/bold]")

    def say(self, sentence: str) -> None:
        """Something happened."""
        self._tell("", sentence)
        self._show(self.lines[-1][0], "", sentence)

    def check(self, holds: bool, sentence: str) -> None:
        """Something that the demo promises: shown with a tick, or the demo fails here."""
        if not holds:
            raise SystemExit(f"the demo expected: {sentence}")
        self._tell("ok", sentence)
        self._show(self.lines[-1][0], "[green]✓[/green]", sentence)

    def timeline(self) -> None:
        """Everything that happened, once more."""
        self.console.print("\n\n[bold]What happened[/bold]")
        for at, kind, sentence in self.lines:
            if kind == "step":
                self.console.print(f"\n[bold]{sentence}[/bold]")
            else:
                self._show(at, "[green]✓[/green]" if kind == "ok" else "", sentence)

    def _show(self, at: float, sign: str, sentence: str) -> None:
        row = Table.grid(padding=(0, 1), expand=True)
        row.add_column(min_width=8, justify="right", style="dim", no_wrap=True)
        row.add_column(min_width=1, no_wrap=True)
        row.add_column(ratio=1)
        row.add_row(self._clock(at), sign, sentence)
        self.console.print(row)

    def _tell(self, kind: str, sentence: str) -> None:
        self.lines.append((time.monotonic() - self.started, kind, sentence))

    @staticmethod
    def _clock(seconds: float) -> str:
        return f"{int(seconds // 60)}:{seconds % 60:04.1f}"
