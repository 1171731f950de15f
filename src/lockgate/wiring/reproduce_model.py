"""The model that a pipeline made again beside the sealed one: the same files, the same answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lockgate.datasets.columns import Columns
from lockgate.datasets.content import sha256_of
from lockgate.inference.workshop import Draft
from lockgate.registry.manifest import Manifest
from lockgate.submission.parts import Part
from lockgate.submission.receive import open_to_readers, receive_code, receive_model
from lockgate.submission.source import CODE_FOLDER, MODEL_FOLDER, Exceptions, place


def drafted(made: Path, entry: str | None, manifest: Manifest, model: str, folder: Path) -> Draft:
    """What a pipeline handed over (`made`), received, scanned and placed as a submission is, below `folder`.

    Raises what a submission raises for a model that is none, or asks for names that were not allowed.
    """
    draft = folder / "draft"
    draft.mkdir()
    code = sorted((made / CODE_FOLDER).iterdir()) if (made / CODE_FOLDER).is_dir() else []
    shipped = receive_code(tuple(Part.of(path) for path in code), draft / CODE_FOLDER)
    files = sorted((made / MODEL_FOLDER).iterdir()) if (made / MODEL_FOLDER).is_dir() else []
    given = (
        receive_model(Part.of(files[0]), folder / "given", any_folder=entry is not None) if files else None
    )
    source = place(given, draft, entry, Exceptions(model, frozenset(manifest.trusted), shipped))
    open_to_readers(draft)
    said = source.declared
    return Draft(
        draft, source.framework, source.model_path, source.entry, manifest.signature.inputs,
        command=said.arguments(draft.resolve() / source.model_path) if said else (),
        variables=tuple(said.variables.items()) if said else (),
    )  # fmt: skip


def same_files(draft: Path, manifest: Manifest) -> bool:
    """Whether the model and its code are, file by file, what was sealed."""
    sealed = {
        name: file.sha256
        for name, file in manifest.files.items()
        if name.startswith((f"{MODEL_FOLDER}/", f"{CODE_FOLDER}/"))
    }
    again = {
        path.relative_to(draft).as_posix(): sha256_of(path) for path in draft.rglob("*") if path.is_file()
    }
    return sealed == again


def difference(before: Mapping[str, np.ndarray], again: Columns) -> tuple[int, float, int]:
    """Rows asked, largest difference of numbers, rows that differ otherwise (words, missing numbers, another shape)."""
    rows = len(next(iter(before.values())))
    largest, words = 0.0, np.zeros(rows, dtype=bool)
    for name, old in before.items():
        new = again.get(name)
        if new is None or new.shape != old.shape or (old.dtype.kind in "fiu") != (new.dtype.kind in "fiu"):
            words[:] = True
        elif old.dtype.kind in "fiu":
            first, second = old.astype(float), new.astype(float)
            same = (first == second) | (np.isnan(first) & np.isnan(second))
            gap = np.abs(np.where(same, 0.0, first) - np.where(same, 0.0, second))
            words |= np.isnan(gap).reshape(rows, -1).any(axis=1)  # a number is none any more
            largest = max(largest, float(np.nan_to_num(gap, nan=0.0, posinf=np.inf).max(initial=0.0)))
        else:
            words |= (old.astype(str) != new.astype(str)).reshape(rows, -1).any(axis=1)
    return rows, largest, int(words.sum())
