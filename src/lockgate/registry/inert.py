"""Reads a pickle without running it: Python's own unpickler, in which no name is imported and no call is made.

Every opcode that would import, call, set an attribute or hash a value is replaced, so what a file asks for is only
written down. Raw arrays of joblib, which lie between the opcodes and derail a plain walk over them, are measured and
skipped as joblib itself would read them; arrays of objects, which joblib keeps as a nested pickle, are read into.
"""

from __future__ import annotations

import _compat_pickle
import pickle
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import numpy as np

from lockgate.registry.bounded import Bounded, CutOff

WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_DTYPE = "numpy.dtype"
_DTYPE_SPEC = re.compile(r"[|<>=]?(?:[?bBhHiIlLqQefdgFDG]|[biufcmMOSUV]\d{1,9})")
_HAS_OBJECT = 0x01  # NPY_ITEM_REFCOUNT in a dtype's flags
_MAX_NESTING = 16
UNREADABLE = (
    pickle.UnpicklingError, EOFError, KeyError, IndexError, AttributeError, TypeError, ValueError, struct.error,
    OverflowError, MemoryError, CutOff,
)  # fmt: skip


class Name(NamedTuple):
    """A global name that the file refers to."""

    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}.{self.attribute}"


@dataclass
class Inert:
    """Stands for whatever a call would have made: by which name, from which arguments, with which state."""

    made_by: Name | None = None
    args: tuple[Any, ...] = ()
    state: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trick:
    """Something that no honest file does, whatever names it uses."""

    what: str
    position: int


class InertUnpickler(pickle._Unpickler):
    """Collects `names` (each with the position where it was first asked for) and `tricks`; `arrays` counts joblib's.

    `load` raises one of UNREADABLE when the bytes are not a whole pickle.
    """

    # made by the original's `load`
    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]
    proto: int

    def __init__(self, stream: Bounded, *, depth: int = 0) -> None:
        super().__init__(cast("Any", stream), encoding="latin1")
        self.stream = stream
        self.names: dict[Name, int] = {}
        self.tricks: list[Trick] = []
        self.arrays = 0
        self._depth = depth

    @property
    def position(self) -> int:
        """Where the reader stands, in bytes from the start of the (unpacked) file."""
        frame = self._unframer.current_frame if hasattr(self, "_unframer") else None
        return self.stream.position - (len(frame.getbuffer()) - frame.tell() if frame else 0)

    def find_class(self, module: str, name: str) -> Any:
        """Write the name down instead of importing it."""
        if self.proto < 3:  # names of Python 2, mapped as the real unpickler maps them
            if (module, name) in _compat_pickle.NAME_MAPPING:
                module, name = _compat_pickle.NAME_MAPPING[(module, name)]
            else:
                module = _compat_pickle.IMPORT_MAPPING.get(module, module)
        found = Name(module, name)
        self.names.setdefault(found, self.position)
        return found

    def get_extension(self, code: int) -> None:
        """Extension codes stand for names that only the writer's machine knows."""
        self._trick(f"extension code {code} in place of a name")
        self.append(Inert())

    def persistent_load(self, pid: Any) -> Any:
        """Objects that lie outside the file cannot be looked at."""
        raise pickle.UnpicklingError(f"it refers to an object outside the file ({str(pid)[:40]})")

    def _instantiate(self, klass: Any, args: Any) -> None:
        self.append(self._call(klass, tuple(args)))

    def _trick(self, what: str) -> None:
        self.tricks.append(Trick(what, self.position))

    def _call(self, function: Any, args: Any) -> Inert:
        if not isinstance(function, Name):
            self._trick("a call of something that is not a name")
            return Inert()
        args = tuple(args) if isinstance(args, tuple) else ()
        if str(function) == "copyreg._reconstructor" and args and isinstance(args[0], Name):
            return Inert(args[0], args[1:])
        if any(isinstance(given, Name) and str(given) == WRAPPER for given in args):
            self._trick("joblib's array wrapper handed to a call")
        return Inert(function, args)

    def _on_container(self, target: Any) -> bool:
        if isinstance(target, Name):
            self._trick(f"a change of {target} itself")
        return isinstance(target, list | dict)

    def _load_reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], args)

    def _load_newobj(self) -> None:
        args = self.stack.pop()
        self.append(self._call(self.stack.pop(), args))

    def _load_newobj_ex(self) -> None:
        self.stack.pop()
        self._load_newobj()

    def _load_build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, Inert):
            self._trick(f"new attributes for {target if isinstance(target, Name) else type(target).__name__}")
            return
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict) and (hidden := [key for key in part if key.startswith("__")]):
                self._trick(f"the attribute {hidden[0][:60]} set from outside")
        target.state = state
        if target.made_by is not None and str(target.made_by) == WRAPPER:
            self.stack[-1] = self._pass_array(target, state)

    def _load_dict(self) -> None:
        items = self.pop_mark()
        self.append(_with_text_keys(items))

    def _load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        if self._on_container(self.stack[-1]) and isinstance(self.stack[-1], dict):
            self.stack[-1].update(_with_text_keys([key, value]))

    def _load_setitems(self) -> None:
        items = self.pop_mark()
        if self._on_container(self.stack[-1]) and isinstance(self.stack[-1], dict):
            self.stack[-1].update(_with_text_keys(items))

    def _load_append(self) -> None:
        value = self.stack.pop()
        if self._on_container(self.stack[-1]) and isinstance(self.stack[-1], list):
            self.stack[-1].append(value)

    def _load_appends(self) -> None:
        items = self.pop_mark()
        if self._on_container(self.stack[-1]) and isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def _load_additems(self) -> None:
        self.pop_mark()
        self._on_container(self.stack[-1])

    def _load_empty_set(self) -> None:
        self.append(Inert())

    def _load_frozenset(self) -> None:
        self.pop_mark()
        self.append(Inert())

    def _load_bytearray8(self) -> None:
        (length,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(length)))  # the original sets the memory aside before it reads

    def _pass_array(self, wrapper: Inert, state: Any) -> Inert:
        """Skip what joblib's wrapper reads behind its BUILD: padding and raw data, or a nested pickle."""
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("a joblib array without a description")
        wrapper.attributes.update(state)
        known = wrapper.attributes
        item_bytes, objects = _item(known.get("dtype"))
        self.arrays += 1
        if objects:
            self._read_nested()
        else:
            if known.get("numpy_array_alignment_bytes") is not None:
                self.stream.skip(self.stream.read(1)[0])
            self.stream.skip(_count(known.get("shape")) * item_bytes)
        return Inert(Name("numpy", "ndarray"))

    def _read_nested(self) -> None:
        if self._depth >= _MAX_NESTING:
            raise pickle.UnpicklingError("pickles nested too deeply")
        inner = InertUnpickler(self.stream, depth=self._depth + 1)
        inner.load()
        for name, position in inner.names.items():
            self.names.setdefault(name, position)
        self.tricks += inner.tricks
        if inner.arrays:  # the loader reads nested pickles plainly and would take raw data for opcodes
            self._trick("a joblib array inside a nested pickle")


def _with_text_keys(items: list[Any]) -> dict[str, Any]:
    """Only text keys are kept: hashing a deeply shared tuple takes for ever, and no reader needs other keys."""
    return {key: value for key, value in zip(items[::2], items[1::2], strict=False) if type(key) is str}


def _item(dtype: Any, depth: int = 0) -> tuple[int, bool]:
    """Bytes of one element, and whether it holds objects. Raises ValueError for what numpy would not write itself."""
    described = isinstance(dtype, Inert) and str(dtype.made_by) == _DTYPE and dtype.args
    if not described or depth > _MAX_NESTING or not isinstance(dtype.args[0], str):
        raise ValueError("a joblib array of an unknown type")
    spec = dtype.args[0]
    if not _DTYPE_SPEC.fullmatch(spec):
        raise ValueError("a joblib array of an unknown type")
    plain = np.dtype(spec)
    state = dtype.state if isinstance(dtype.state, tuple) else ()
    objects = plain.hasobject
    parts = [entry[0] for entry in state[4].values()] if len(state) > 4 and isinstance(state[4], dict) else []
    if len(state) > 2 and isinstance(state[2], tuple):
        parts.append(state[2][0])
    for part in parts:
        objects = objects or _item(part, depth + 1)[1]
    size_agrees = len(state) <= 5 or state[5] in (-1, plain.itemsize)
    flags_agree = len(state) <= 7 or bool(state[7] & _HAS_OBJECT) == objects
    if not size_agrees or not flags_agree:
        raise ValueError("a joblib array whose type contradicts itself")
    return plain.itemsize, objects


def _count(shape: Any) -> int:
    if not isinstance(shape, tuple) or not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError("a joblib array of an unknown shape")
    total = 1
    for length in shape:
        total *= length
    return total


_REPLACED: dict[bytes, Callable[[InertUnpickler], None]] = {
    pickle.REDUCE: InertUnpickler._load_reduce,
    pickle.NEWOBJ: InertUnpickler._load_newobj,
    pickle.NEWOBJ_EX: InertUnpickler._load_newobj_ex,
    pickle.BUILD: InertUnpickler._load_build,
    pickle.DICT: InertUnpickler._load_dict,
    pickle.SETITEM: InertUnpickler._load_setitem,
    pickle.SETITEMS: InertUnpickler._load_setitems,
    pickle.APPEND: InertUnpickler._load_append,
    pickle.APPENDS: InertUnpickler._load_appends,
    pickle.ADDITEMS: InertUnpickler._load_additems,
    pickle.EMPTY_SET: InertUnpickler._load_empty_set,
    pickle.FROZENSET: InertUnpickler._load_frozenset,
    pickle.BYTEARRAY8: InertUnpickler._load_bytearray8,
}
_dispatch: dict[int, Any] = {opcode[0]: function for opcode, function in _REPLACED.items()}
InertUnpickler.dispatch = {**pickle._Unpickler.dispatch, **_dispatch}
