"""What a pipeline's process is given: code, data, rights; and what its module is called."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lockgate.errors import InvalidInput
from lockgate.pipelines.child import PACKAGE
from lockgate.pipelines.cut import Cut
from lockgate.pipelines.sources import Sources, search_path, written

UNFINISHED = "unfinished"  # beside a model's steps: what a step that takes hours may leave for its next try
LIBRARY, CODE, WORK, HANDED = "library", "code", "work", "handed"
SYSTEM_PROGRAMS = ["/usr", "/bin", "/lib", "/lib64", "/opt"]  # what a command may start in turn


@dataclass(frozen=True)
class DataFile:
    """A data version on this machine. `kind`: "table" (a Parquet file), "folder" or "file"."""

    path: Path
    kind: str
    digest: str


@dataclass(frozen=True)
class Order:
    """One pipeline to run. `environment`: digest of the lock. `task`: of the model, where it is known.

    `confined` false: it runs also where this machine cannot keep it from its files. `answers`: so many rows of the test table are
    answered, by the model itself where the pipeline has no `predict`; None: a few, by `predict` alone, to compare with later.
    `label`: the column that is kept from who answers. `cut`: where the test table begins, whatever the pipeline says.
    """

    pipeline: str
    sources: Sources
    data: Mapping[str, DataFile]
    parameters: Mapping[str, object]
    seed: int
    python: Path
    environment: str
    memory_bytes: int
    task: str | None = None
    confined: bool = True
    threads: int = 0  # of libraries that compute in parallel; 0: as many as they like
    answers: int | None = None
    label: str | None = None
    cut: Cut | None = None


def is_command(pipeline: str) -> bool:
    """Whether a pipeline is a command line and no Python file.

    >>> is_command("pipelines/churn.py"), is_command("pipelines/churn.py:main"), is_command("Rscript train.R")
    (False, False, True)
    """
    return not file_of(pipeline).endswith(".py") or " " in pipeline


def file_of(pipeline: str) -> str:
    """The file of a pipeline that is Python."""
    return pipeline.partition(":")[0]


def module_of(sources: Sources, file: str) -> str:
    """What the pipeline's module is imported as: with its package, if it lies in one, else by its own name."""
    whole = Path(file).with_suffix("").parts
    return ".".join(whole[-_packages(sources, whole) :])


def _packages(sources: Sources, whole: tuple[str, ...]) -> int:
    """How many of a file's last parts make its name: itself and the packages that it lies in."""
    kept = 1
    while kept < len(whole) and f"{'/'.join(whole[: len(whole) - kept])}/__init__.py" in sources.files:
        kept += 1
    return kept


def _path(order: Order, code: Path, file: str) -> list[str]:
    whole = Path(file).with_suffix("").parts
    above = code.joinpath(*whole[: -_packages(order.sources, whole)])
    return list(dict.fromkeys(map(str, (*search_path(code, code / file), above))))


def lay_out(order: Order, folder: Path) -> Path:
    """The code in the folder of a run, beside an empty place to work; where the code is."""
    for name in (CODE, WORK, HANDED):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (CODE, WORK):
        (folder / name).mkdir(parents=True)
    (folder / LIBRARY).mkdir(exist_ok=True)
    link = folder / LIBRARY / PACKAGE.name
    if not link.is_symlink():
        link.symlink_to(PACKAGE)  # nothing of lockgate's own environment comes along
    return written(order.sources, folder / CODE)


def first_words(order: Order, folder: Path, code: Path, steps: Path) -> dict[str, object]:
    """What the process is told first. Raises InvalidInput for a command line that is none."""
    file = file_of(order.pipeline)
    unfinished = steps.parent / UNFINISHED
    unfinished.mkdir(exist_ok=True)
    command = _command(order.pipeline) if is_command(order.pipeline) else []
    read = [folder, PACKAGE, steps, *(data.path for data in order.data.values())]
    return {
        "command": command, "code": str(code), "programs": SYSTEM_PROGRAMS if command else [],
        "module": "" if command else module_of(order.sources, file),
        "function": order.pipeline.partition(":")[2] or None if not command else None,
        "path": [] if command else _path(order, code, file),
        "parameters": dict(order.parameters), "seed": order.seed, "libraries": sorted(order.sources.libraries),
        "read": [str(path) for path in read], "write": [str(folder / WORK), str(unfinished)],
        "unfinished": str(unfinished),
        "memory_bytes": order.memory_bytes, "confined": order.confined, "threads": order.threads,
    }  # fmt: skip


def _command(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InvalidInput("the pipeline is no command line", got=f"{line}: {error}") from error
    if not words:
        raise InvalidInput(
            "the pipeline has no name", allowed="pipelines/churn.py, or a command: Rscript train.R"
        )
    return words
