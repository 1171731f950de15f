"""What is handed in, as files: an estimator is dumped, a function is taken with its module, a folder is zipped."""

from __future__ import annotations

import inspect
import io
import pickle
import sys
import sysconfig
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from lockgate.errors import InvalidInput
from lockgate.packing.notebook import MODULE, lives_in_main, source_module
from lockgate.packing.prepared import PREPARED, prepared
from lockgate.packing.saved import saved_by_library

IGNORED = ("__pycache__", ".git", ".ipynb_checkpoints", ".venv")
_FIX = "hand in a fitted estimator, a PyTorch module, a function, or the path of a model file or folder"


@dataclass
class Parcel:
    """What goes to the registry: the model's file (None for plain code), code files by their name, the entry of code.

    `globals`: dotted names of what an object refers to, so that a far box can be told which versions made it.
    `requirements`: exact pins that a prepared folder says serve it.
    """

    name: str | None = None
    body: bytes | Path | None = None
    code: dict[str, bytes] = field(default_factory=dict)
    entry: str | None = None
    globals: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()


def pack(model: Any, code: Iterable[str | Path] = (), entry: str | None = None) -> Parcel:
    """Whatever a model builder has in hand; None: code alone. Raises InvalidInput with the exact fix for what cannot be."""
    parcel = Parcel() if model is None else _parcel(model)
    parcel.entry = entry or parcel.entry
    for path in map(Path, code):
        parcel.code.update(code_files(path))
    return parcel


def code_files(path: Path) -> dict[str, bytes]:
    """A module's file or a package's folder, by names as Python imports them."""
    if path.is_file():
        return {path.name: path.read_bytes()}
    if path.is_dir():
        return {f"{path.name}/{name}": file.read_bytes() for name, file in _files(path)}
    raise InvalidInput("there is no such code", got=path, fix="name Python files or folders of them")


def zipped(files: dict[str, bytes]) -> bytes:
    """Files as one zip, the same bytes for the same files."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), files[name], zipfile.ZIP_DEFLATED)
    return body.getvalue()


def zipped_folder(folder: Path) -> bytes:
    """A folder's files as one zip."""
    return zipped({name: file.read_bytes() for name, file in _files(folder)})


def _parcel(model: Any) -> Parcel:
    if isinstance(model, str | Path):
        return _from_path(Path(model))
    if isinstance(model, FunctionType | type):
        return _from_code(model)
    if (saved := saved_by_library(model)) is not None:
        return Parcel(saved[0], saved[1] if isinstance(saved[1], bytes) else zipped(saved[1]))
    if any(base.__module__ == "torch.nn.modules.module" for base in type(model).__mro__):
        return _from_torch(model)
    if type(model).__module__.startswith("torch.export."):
        return _from_program(model)
    if isinstance(model, ModuleType) or not (hasattr(model, "predict") or callable(model)):
        raise InvalidInput("this is no model", got=type(model).__name__, fix=_FIX)
    return _from_object(model)


def _from_path(path: Path) -> Parcel:
    if (path / PREPARED).is_file():
        return _from_prepared(path)
    if path.is_dir():
        return Parcel(f"{path.resolve().name}.zip", zipped_folder(path))
    if not path.is_file():
        raise InvalidInput("there is no such model file", got=path, fix=_FIX)
    if path.suffix == ".py":
        return Parcel(code={path.name: path.read_bytes()}, entry=f"{path.stem}:predict")
    return Parcel(path.name, path)


def _from_prepared(folder: Path) -> Parcel:
    entry, pins = prepared(folder)
    code = {name: file.read_bytes() for name, file in _files(folder / "code")}
    return Parcel("model.zip", zipped_folder(folder / "model"), code, entry, requirements=pins)


def _from_code(thing: Any) -> Parcel:
    """A function, or a class with a predict method, with the module that it lives in."""
    if lives_in_main(thing):
        source = source_module([thing])
        return Parcel(code={f"{MODULE}.py": source.encode()}, entry=f"{MODULE}:{thing.__qualname__}")
    if "<" in thing.__qualname__:
        raise InvalidInput(
            f"'{thing.__qualname__}' cannot be imported by name", fix="define it with def at the top level"
        )
    return Parcel(code=_local_code({thing.__module__}), entry=f"{thing.__module__}:{thing.__qualname__}")


def _from_torch(module: Any) -> Parcel:
    """A PyTorch module: its weights with its class's source where the class makes itself without arguments, else TorchScript."""
    import torch  # noqa: PLC0415 - only who hands in a module has it

    body, kind = io.BytesIO(), type(module)
    scripted = isinstance(module, torch.jit.ScriptModule)
    code = {} if scripted or lives_in_main(kind) else _local_code({kind.__module__})
    if not scripted and (code or lives_in_main(kind)) and _makes_itself(module):
        torch.save(module.state_dict(), body)
        if lives_in_main(kind):
            code = {f"{MODULE}.py": source_module([kind]).encode()}
        owner = MODULE if lives_in_main(kind) else kind.__module__
        return Parcel("model.pt", body.getvalue(), code, entry=f"{owner}:{kind.__qualname__}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.save(module if scripted else torch.jit.script(module.eval()), body)
    except (RuntimeError, TypeError, OSError) as error:  # torch's own errors derive from RuntimeError
        raise InvalidInput(
            f"{kind.__name__} cannot be made without arguments, and torch.jit.script refuses it",
            got=str(error).strip().splitlines()[0][:200],
            fix="give its constructor defaults that fit the weights, or hand in torch.jit.trace(model, rows)",
        ) from error
    return Parcel("model.pt", body.getvalue())


def _from_program(program: Any) -> Parcel:
    """A program of torch.export, as it is."""
    import torch  # noqa: PLC0415 - only who hands in a program has it

    body = io.BytesIO()
    torch.export.save(program, body)
    return Parcel("model.pt2", body.getvalue())


def _makes_itself(module: Any) -> bool:
    """Whether `Class()` takes this module's weights."""
    try:
        type(module)().load_state_dict(module.state_dict())
    except Exception:  # noqa: BLE001 - whatever a constructor raises, the answer is no
        return False
    return True


def _from_object(model: Any) -> Parcel:
    seen = _Globals()
    seen.look_at(model)
    mine = [thing for thing in seen.found if lives_in_main(thing)]
    code = _local_code({thing.__module__ for thing in seen.found if not lives_in_main(thing)})
    if mine:
        code[f"{MODULE}.py"] = source_module(mine).encode()
    body = io.BytesIO()
    with _moved(mine):
        try:
            name = _dumped(model, body)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise InvalidInput("this model cannot be written to a file", got=error, fix=_FIX) from error
    names = tuple(
        f"{thing.__module__}.{thing.__qualname__}" for thing in seen.found if not lives_in_main(thing)
    )
    return Parcel(name, body.getvalue(), code, globals=names)


def _dumped(model: Any, body: io.BytesIO) -> str:
    """Write the object, and say what its file is called. An environment without scikit-learn need not have joblib."""
    try:
        import joblib  # noqa: PLC0415 - only who hands in an object needs it
    except ImportError:
        pickle.dump(model, body, protocol=5)
        return "model.pkl"
    joblib.dump(model, body, compress=0)
    return "model.joblib"


class _Globals(pickle.Pickler):
    """Notes every class and function that an object refers to, without keeping what is pickled."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), protocol=5)
        self.found: list[Any] = []

    def look_at(self, model: Any) -> None:
        """Walk through an object. Raises InvalidInput for what no file can hold."""
        try:
            self.dump(model)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            if not any(lives_in_main(thing) for thing in self.found):
                raise InvalidInput("this model cannot be written to a file", got=error, fix=_FIX) from error

    def reducer_override(self, thing: Any) -> Any:
        """Called for every object that is not a plain value."""
        kind = thing if isinstance(thing, type | FunctionType) else type(thing)
        if "<" in kind.__qualname__ and isinstance(kind, FunctionType):
            raise InvalidInput(
                f"the model holds {kind.__qualname__} of {kind.__code__.co_filename}, line {kind.__code__.co_firstlineno}",
                fix="write it as a function with def at the top level of a module, and fit the model with that",
            )
        if kind not in self.found:
            self.found.append(kind)
        return NotImplemented


@contextmanager
def _moved(things: list[Any]) -> Iterator[None]:
    """While a model is dumped, classes of the notebook call themselves by the module that they are packaged in."""
    stand_in = ModuleType(MODULE)
    for thing in things:
        setattr(stand_in, thing.__qualname__, thing)
        thing.__module__ = MODULE
    sys.modules[MODULE] = stand_in
    try:
        yield
    finally:
        del sys.modules[MODULE]
        for thing in things:
            thing.__module__ = "__main__"


def _local_code(modules: set[str]) -> dict[str, bytes]:
    """Files of the project's own modules among these, and of those that they import in turn; libraries are left out."""
    files: dict[str, bytes] = {}
    done: set[str] = set()
    waiting = set(modules)
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        if name in done or module is None or not _is_local(module):
            continue
        done.add(name)
        top = name.partition(".")[0]
        file = Path(inspect.getfile(module)).resolve()
        if top == name and file.name != "__init__.py":
            files[file.name] = file.read_bytes()
        else:
            owner = sys.modules[top]  # without a file where the package is a folder without __init__.py
            folder = (
                Path(inspect.getfile(owner)).parent if owner.__file__ else Path(next(iter(owner.__path__)))
            )
            files.update(code_files(folder.resolve()))
        for value in vars(module).values():
            used = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(used, str):
                waiting.add(used)
    return files


def _is_local(module: ModuleType) -> bool:
    """Code of the project: a file that lies neither in an installed environment nor in Python itself."""
    file = getattr(module, "__file__", None)
    if not file or module.__name__.partition(".")[0] in ("__main__", "lockgate"):
        return False
    path = Path(file).resolve()
    libraries = {
        Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
    return not any(path.is_relative_to(place) for place in libraries) and "site-packages" not in path.parts


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and not any(part in IGNORED for part in name.parts):
            yield name.as_posix(), file
