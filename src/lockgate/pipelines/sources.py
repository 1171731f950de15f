"""The project's own files that a pipeline is made of: its module and every module of the project that this imports.

Found by reading source, never by running it. What is imported by a computed name cannot be seen; then every Python file of
the project counts.
"""

from __future__ import annotations

import ast
import hashlib
import io
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lockgate.errors import InvalidInput, NotFound, TooLarge

MOST_FILES = 2_000
MOST_BYTES = 64 << 20  # code, and the small files that lie in its packages
MOST_BYTES_A_FILE = 8 << 20
LEFT_OUT = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "mlruns"})
COMPUTED = frozenset({"__import__", "import_module", "importlib", "exec", "eval", "runpy"})


@dataclass(frozen=True)
class Sources:
    """Files by their path in the project."""

    files: dict[str, bytes]

    @property
    def libraries(self) -> frozenset[str]:
        """Top names that are imported and are no part of the project, nor of Python; and what serving and reading need beside.

        A served `predict(model, rows)` is asked with pandas, and pandas reads tables with pyarrow: nobody has to import these.
        """
        ours = {part for name in self.files for part in Path(name).with_suffix("").parts}
        trees = [parsed(body, name) for name, body in self.files.items() if name.endswith(".py")]
        found = {module.partition(".")[0] for tree in trees for module, level in _imports(tree) if level == 0}
        found |= {"pyarrow"} if "pandas" in found else set()
        found |= {"pandas"} if any(map(_serves, trees)) else set()
        return frozenset(found - ours - sys.stdlib_module_names)

    @property
    def digest(self) -> str:
        """`sha256:...` over paths and bytes."""
        state = hashlib.sha256(b"lockgate-code-1\n")
        for name in sorted(self.files):
            body = self.files[name]
            state.update(f"{len(name)} {name} {len(body)}\n".encode() + body)
        return f"sha256:{state.hexdigest()}"


def search_path(root: Path, file: Path) -> list[Path]:
    """Where a project's modules are looked for: its root, `src` below it, and the folder of the pipeline."""
    return list(dict.fromkeys([root, *([root / "src"] if (root / "src").is_dir() else []), file.parent]))


def sources_of(root: Path, file: str, more: Iterable[str] = ()) -> Sources:
    """The pipeline's file, what it imports of the project in turn, and `more` (the lock). Paths are relative to `root`.

    Raises NotFound, InvalidInput for code that cannot be read as Python or lies outside the project, TooLarge.
    """
    root = root.resolve()
    first = _inside(root, file)
    found: dict[str, bytes] = {}
    waiting = [first]
    places = search_path(root, first)
    while waiting:
        path = waiting.pop()
        name = path.relative_to(root).as_posix()
        if name in found:
            continue
        found[name] = _read(path)
        if path.suffix != ".py":
            continue
        if path.name == "__init__.py":
            waiting += _beside(path.parent)
        tree = parsed(found[name], name)
        for module, level in _imports(tree):
            waiting += _resolve(module, level, path, places=places, root=root)
        if computes_names(tree):
            waiting += _all_python(root)
        _refuse_size(found)
    return Sources(found | {name: _read(_inside(root, name)) for name in more})


def folder_sources(root: Path, folder: str, more: Iterable[str] = ()) -> Sources:
    """Every small file below a folder of the project: what a command may need."""
    root = root.resolve()
    paths = [path for path in _walk(_inside(root, folder)) if path.stat().st_size <= MOST_BYTES_A_FILE]
    found = {path.relative_to(root).as_posix(): _read(path) for path in paths}
    _refuse_size(found)
    return Sources(found | {name: _read(_inside(root, name)) for name in more})


def parsed(body: bytes, name: str) -> ast.Module:
    """Source as a tree. Raises InvalidInput with the line."""
    try:
        return ast.parse(body)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise InvalidInput(f"{name}{f', line {line}' if line else ''} is no Python", got=error) from error


def computes_names(tree: ast.Module) -> bool:
    """Whether code is found by a name that is computed, so that reading the source does not say which."""
    names = (node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
             for node in ast.walk(tree))  # fmt: skip
    imported = (alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names)
    return any(name in COMPUTED for name in names) or "importlib" in imported


def zipped_sources(sources: Sources) -> bytes:
    """The files as a zip: the same bytes for the same files."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(sources.files):
            archive.writestr(
                zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), sources.files[name], zipfile.ZIP_DEFLATED
            )
    return body.getvalue()


def unzipped_sources(body: bytes) -> Sources:
    """The files of such a zip. Raises InvalidInput for what is none, or leads out of its folder; TooLarge."""
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) > MOST_FILES or sum(info.file_size for info in members) > MOST_BYTES:
                raise TooLarge(
                    "the pipeline's code is too large", allowed=f"{MOST_FILES} files, {MOST_BYTES >> 20} MB"
                )
            for info in members:
                found[_plain(info.filename)] = archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InvalidInput("the pipeline's code is no readable zip", got=error) from error
    return Sources(found)


def written(sources: Sources, folder: Path) -> Path:
    """The files below a folder."""
    for name, body in sources.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    return folder


def _plain(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts:
        raise InvalidInput("a path in the pipeline's code leads out of its folder", got=name[:100])
    return path.as_posix()


def _inside(root: Path, name: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise InvalidInput(
            "this lies outside the project",
            got=name,
            fix=f"keep it below {root.name}/, where lockgate.yaml is",
        )
    if not path.exists():
        raise NotFound(
            f"there is no {name} in the project", fix="name a path from the folder where lockgate.yaml is"
        )
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path.name} cannot be read", got=error.strerror) from error


def _serves(tree: ast.Module) -> bool:
    """Whether a module defines the `predict(model, rows)` that is served (see `inside.handing`)."""
    found = (
        node.args.args for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "predict"
    )
    return any(len(given) == 2 and given[0].arg == "model" for given in found)


def _imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Module names with their number of leading dots; for `from a import b` both a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level
            yield from (
                (f"{node.module}.{alias.name}" if node.module else alias.name, node.level)
                for alias in node.names
            )


def _resolve(module: str, level: int, path: Path, *, places: list[Path], root: Path) -> list[Path]:
    """Files of the project that importing this module runs: packages on the way, and itself."""
    starts = places
    if level:
        above = path.parent
        for _ in range(level - 1):
            above = above.parent
        starts = [above] if above.is_relative_to(root) else []
    steps = [step for step in module.split(".") if step]
    for start in starts:
        found, here = [], start
        for place, step in enumerate(steps):
            here = here / step
            last = place == len(steps) - 1
            if (here / "__init__.py").is_file():
                found.append(here / "__init__.py")
            elif here.with_suffix(".py").is_file() and last:
                found.append(here.with_suffix(".py"))
            elif not here.is_dir():
                found = [] if place == 0 else found
                break
        if found:
            return found
    return []


def _beside(folder: Path) -> Iterator[Path]:
    """The small files that a package carries for its code: word lists, settings."""
    for path in sorted(folder.iterdir()):
        wanted = path.is_file() and path.suffix not in (".py", ".pyc") and not path.name.startswith(".")
        if wanted and path.stat().st_size <= MOST_BYTES_A_FILE:
            yield path


def _all_python(root: Path) -> list[Path]:
    return [path for path in _walk(root) if path.suffix == ".py"]


def _walk(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in LEFT_OUT or path.is_symlink():
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file():
            yield path


def _refuse_size(found: dict[str, bytes]) -> None:
    if len(found) > MOST_FILES or sum(map(len, found.values())) > MOST_BYTES:
        raise TooLarge(
            "the pipeline's code is too large", got=f"{len(found)} files, {sum(map(len, found.values())) >> 20} MB",
            allowed=f"{MOST_FILES} files, {MOST_BYTES >> 20} MB",
            fix="keep data out of the code's packages: declare it under 'data' in lockgate.yaml",
        )  # fmt: skip
