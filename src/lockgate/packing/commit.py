"""Which commit a project's folder is at, and whether that commit holds the code that runs."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

NONE_KNOWN = "no commit known"
DIRTY = "-dirty"
CODE = frozenset(
    {".py", ".pyi", ".pyx", ".ipynb", ".r", ".jl", ".sh", ".sql", ".yaml", ".yml", ".toml", ".cfg"}
)

LIBRARIES = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "mlruns"})


@dataclass(frozen=True)
class Tree:
    """A folder's code as git sees it. `commit` None: no commit is known, and `why`; `changed`: files that it does not hold."""

    commit: str | None
    changed: tuple[str, ...] = ()
    why: str = ""

    @property
    def name(self) -> str | None:
        """The commit, `-dirty` when files differ from it."""
        return f"{self.commit}{DIRTY}" if self.commit and self.changed else self.commit


def tree_of(folder: Path, used: Collection[str] = ()) -> Tree:
    """The tree that a folder belongs to.

    What differs: tracked files that changed, anywhere in the repository; below the folder, also files that git neither tracks nor
    ignores, where they are code by their ending (not in hidden folders, nor in those of libraries) or are `used` (paths from the
    folder: what a pipeline imports and reads beside).
    """
    commit, why = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return Tree(None, why=why)
    tracked, unread = _git(folder, "diff", "--name-only", "-z", "HEAD")
    beside, unlisted = _git(folder, "ls-files", "--others", "--exclude-standard", "-z")
    if tracked is None or beside is None:
        return Tree(None, why=unread or unlisted)  # nobody can say that the commit holds the code
    untracked = [name for name in beside.split("\0") if name in used or _is_code(Path(name))]
    return Tree(
        commit.strip(), tuple(dict.fromkeys([*(name for name in tracked.split("\0") if name), *untracked]))
    )


def commit_of(folder: Path) -> str | None:
    """The git commit of a folder, `-dirty` when code differs from it; None outside a repository."""
    return tree_of(folder).name


def _is_code(path: Path) -> bool:
    return path.suffix.lower() in CODE and not any(
        part in LIBRARIES or part.startswith(".") for part in path.parent.parts
    )


def _git(folder: Path, *words: str) -> tuple[str | None, str]:
    """What git says; None and why where it cannot."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            check=False,
            errors="surrogateescape",
        )
    except OSError as error:
        return None, f"git cannot be started: {error.strerror}"
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["git says nothing"])[0]
    return done.stdout, ""
