"""Evidence in a folder, as processes share it: tables as Arrow files that are mapped, not copied; facts as JSON.

facts.json          checks.evidence.Facts
frames/<split>.arrow, answers/<split>.arrow, live/<split>.arrow, answered/<split>.npy, history.arrow
previous/           previous.json and the same folders of the version before
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers, Evidence, Facts, Previous, Split
from lockgate.late import late

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = late("pyarrow")

_CLASSES = "p"  # columns p0, p1, ... are the probabilities
_CLUSTERS = "\0clusters"
_FURTHER = "further "  # columns of that beginning are what else the model answers


class _About(msgspec.Struct, frozen=True):
    """The plain part of `Previous`."""

    name: str
    kept: dict[str, Any]


def write_evidence(evidence: Evidence, folder: Path) -> Path:
    """Write everything but the ways to ask; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "facts.json").write_bytes(msgspec.json.encode(evidence.facts()))
    _write_part(folder, evidence.frames, evidence.answers)
    _write_answers(folder / "live", evidence.live)
    for split, rows in evidence.answered.items():
        (folder / "answered").mkdir(exist_ok=True)
        np.save(folder / f"answered/{split}.npy", rows)
    if evidence.history is not None:
        write_table(evidence.history, folder / "history.arrow")
    if evidence.previous is not None:
        before = folder / "previous"
        before.mkdir(exist_ok=True)
        about = _About(evidence.previous.name, dict(evidence.previous.kept))
        (before / "previous.json").write_bytes(msgspec.json.encode(about))
        _write_part(before, evidence.previous.frames, evidence.previous.answers)
    return folder


def read_evidence(folder: Path) -> Evidence:
    """The evidence of a folder, tables mapped from their files; without ways to ask."""
    facts = msgspec.json.decode((folder / "facts.json").read_bytes(), type=Facts)
    history = folder / "history.arrow"
    return Evidence(
        **vars(facts),
        frames=_tables(folder / "frames"), answers=_answers(folder / "answers"), live=_answers(folder / "live"),
        answered={Split(path.stem): np.load(path) for path in sorted((folder / "answered").glob("*.npy"))},
        previous=_previous(folder / "previous"), history=read_mapped(history) if history.exists() else None,
    )  # fmt: skip


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """A table as an Arrow file that can be mapped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_ipc(path, compression="uncompressed")


def read_mapped(path: Path) -> pl.DataFrame:
    """A table whose columns are the file's own pages: nothing is read before it is looked at."""
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    return pl.DataFrame(pl.from_arrow(table, rechunk=False))


def write_answers(answers: Answers, path: Path) -> None:
    """Answers as an Arrow file."""
    columns: dict[str, Any] = {"decision": pl.Series(answers.decisions.tolist(), strict=False)}
    if answers.decisions.dtype != object:
        columns["decision"] = answers.decisions
    if answers.scores is not None:
        columns["score"] = np.asarray(answers.scores, dtype=float)
    if answers.probabilities is not None:
        wide = np.ascontiguousarray(answers.probabilities.T, dtype=float)
        columns |= {f"{_CLASSES}{place}": column for place, column in enumerate(wide)}
    for name, values in answers.further.items():
        columns[_FURTHER + name] = (
            pl.Series(values.tolist(), strict=False) if values.dtype == object else values
        )
    write_table(pl.DataFrame(columns), path)


def read_answers(path: Path) -> Answers:
    """The answers of a file."""
    frame = read_mapped(path)
    wide = [name for name in frame.columns if name.startswith(_CLASSES)]
    return Answers(
        _array(frame["decision"]),
        frame["score"].to_numpy() if "score" in frame.columns else None,
        np.column_stack([frame[name].to_numpy() for name in wide]) if wide else None,
        {
            name.removeprefix(_FURTHER): _array(frame[name])
            for name in frame.columns
            if name.startswith(_FURTHER)
        },
    )


def _array(series: pl.Series) -> np.ndarray:
    """Text stays text, missing stays None."""
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        return series.to_numpy()
    return np.array(series.to_list(), dtype=object)


def write_columns(columns: Mapping[str, np.ndarray], clusters: np.ndarray | None, path: Path) -> None:
    """Arrays of n values, and the numbers of the rows' subjects, as an Arrow file: never a pickle."""
    table = {
        name: pl.Series(values.tolist(), strict=False) if values.dtype == object else pl.Series(values)
        for name, values in columns.items()
    }
    write_table(pl.DataFrame(table if clusters is None else {**table, _CLUSTERS: clusters}), path)


def read_columns(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """The arrays of a file, and the numbers of the rows' subjects."""
    columns = {column.name: _array(column) for column in read_mapped(path)}
    clusters = columns.pop(_CLUSTERS, None)
    return columns, clusters


def _write_part(folder: Path, frames: Mapping[Split, pl.DataFrame], answers: Mapping[Split, Answers]) -> None:
    for split, frame in frames.items():
        write_table(frame, folder / f"frames/{split}.arrow")
    _write_answers(folder / "answers", answers)


def _write_answers(folder: Path, answers: Mapping[Split, Answers]) -> None:
    for split, given in answers.items():
        write_answers(given, folder / f"{split}.arrow")


def _tables(folder: Path) -> dict[Split, pl.DataFrame]:
    return {split: read_mapped(path) for split in Split if (path := folder / f"{split}.arrow").exists()}


def _answers(folder: Path) -> dict[Split, Answers]:
    return {split: read_answers(path) for split in Split if (path := folder / f"{split}.arrow").exists()}


def _previous(folder: Path) -> Previous | None:
    path = folder / "previous.json"
    if not path.exists():
        return None
    about = msgspec.json.decode(path.read_bytes(), type=_About)
    return Previous(
        name=about.name,
        frames=_tables(folder / "frames"),
        answers=_answers(folder / "answers"),
        kept=about.kept,
    )
