"""A data version as what a function asks for: a pandas or polars frame, numpy columns, or a path."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, get_args

from lockgate.errors import InvalidInput

LIBRARIES = ("polars", "pandas")


def loaded(data: dict[str, Any], wanted: Any, name: str) -> Any:
    """`data`: kind ("table", a Parquet file; "folder", "file") and path. `wanted`: the annotation; None for any library.

    Raises InvalidInput when the environment has no library that reads it.
    """
    path = Path(data["path"])
    said = library_of(wanted)
    if data["kind"] != "table" or said == "path":
        return path
    for library in (said,) if said else LIBRARIES:
        try:
            module = importlib.import_module(library)
        except ImportError:
            continue
        return module.read_parquet(path)
    raise InvalidInput(
        f"the environment has no {said or 'polars or pandas'} to read the data set '{name}' with",
        fix="pin one in the model's requirements, or take the parameter as a pathlib.Path",
    )


def library_of(wanted: Any) -> str | None:
    """Which library an annotation names: `polars`, `pandas`, or `path`; None when it names neither.

    >>> library_of(Path), library_of("pd.DataFrame"), library_of("pl.DataFrame"), library_of(int)
    ('path', 'pandas', 'polars', None)
    """
    if get_args(wanted) and hasattr(wanted, "__metadata__"):
        wanted = get_args(wanted)[0]
    if wanted is Path or wanted in ("Path", "pathlib.Path"):
        return "path"
    text = (
        wanted
        if isinstance(wanted, str)
        else f"{getattr(wanted, '__module__', '')}.{getattr(wanted, '__name__', '')}"
    )
    if not text.endswith("Frame"):
        return None
    root = text.partition(".")[0]
    return {"pd": "pandas", "pl": "polars"}.get(root, root if root in LIBRARIES else None)
