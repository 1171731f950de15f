"""Scans model files without loading them: every global name that a pickle asks for, compared with an exact list.

A name is accepted when it is in `allowed.ALLOWED`, when an admin allowed it for this model (`trusted`), or when it lies
in a module that was submitted with the model (`shipped`): model code runs confined, and it is there to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from lockgate.errors import InvalidInput, Unsafe
from lockgate.registry.allowed import ALLOWED, only_harms
from lockgate.registry.bounded import BROKEN, Bounded, open_bounded
from lockgate.registry.inert import UNREADABLE, InertUnpickler, Name

MAX_UNPACKED_BYTES = 16 * 1024**3
_MOST_SHOWN = 10
_TRICK = "a trick"
_HARMFUL = "it can run commands, code or other files, and nobody may allow it"
_WRITTEN_IN = "a function (a lambda, perhaps) was written into the file by cloudpickle or dill"
_UNKNOWN = "it is not in the list of names that lockgate knows"
_CODE_MAKERS = ("cloudpickle", "dill", "types")  # modules whose names mean: code was written into the file
_OLD_JOBLIB = ("joblib.numpy_pickle_compat", "sklearn.externals.joblib")


@dataclass(frozen=True)
class Refusal:
    """One name that was refused: where it stands, why, and what its author can do.

    In `fix`, NAMES and MODEL stand for what `require_safe` puts there.
    """

    name: str
    where: str
    reason: str
    fix: str


@dataclass(frozen=True)
class ScanReport:
    """What a file asks for. `globals` is everything, `trusted` and `shipped` the parts that needed those exceptions.

    `joblib`: the file must be loaded by joblib (raw arrays or compression), else by pickle. `script`: it is TorchScript.
    """

    globals: tuple[str, ...]
    refused: tuple[Refusal, ...] = ()
    trusted: tuple[str, ...] = ()
    shipped: tuple[str, ...] = ()
    joblib: bool = False
    script: bool = False

    def require_safe(self, model: str | None = None) -> ScanReport:
        """This report. Raises Unsafe that names each refused name, where it stands and what can be done."""
        if not self.refused:
            return self
        told = _told_once(self.refused)
        shown = [f"{refusal.name} ({refusal.where}): {refusal.reason}" for refusal in told[:_MOST_SHOWN]]
        if len(told) > _MOST_SHOWN:
            shown.append(f"and {len(told) - _MOST_SHOWN} more")
        names = " ".join(refusal.name for refusal in told[:_MOST_SHOWN] if refusal.reason == _UNKNOWN)
        fixes = dict.fromkeys(
            refusal.fix.replace("NAMES", names).replace("MODEL", model or "MODEL") for refusal in told
        )
        raise Unsafe(
            "the model file asks for names that lockgate does not load; nothing of it was run",
            got="; ".join(shown),
            fix="; or ".join(fixes),
        )


def scan_file(
    path: Path, *, trusted: Collection[str] = (), shipped: Collection[str] = (), label: str | None = None
) -> ScanReport:
    """Scan a pickle or joblib file. `trusted`: exact names; `shipped`: modules that were submitted beside it.

    Raises InvalidInput for a file that is not one whole pickle, TooLarge when it unpacks to too much.
    """
    name = label or path.name
    try:
        with open_bounded(path, MAX_UNPACKED_BYTES) as (stream, compression):
            return scan_pickle(
                stream, trusted=trusted, shipped=shipped, label=name, compressed=bool(compression)
            )
    except BROKEN as error:
        raise InvalidInput(
            f"{name} is compressed, but it is damaged or cut off",
            got=error,
            fix="save or copy the file again",
        ) from error


def scan_pickle(
    stream: Bounded,
    *,
    trusted: Collection[str] = (),
    shipped: Collection[str] = (),
    label: str = "the file",
    compressed: bool = False,
) -> ScanReport:
    """Scan one pickle from a stream; see `scan_file`."""
    reader = InertUnpickler(stream)
    try:
        reader.load()
        following = stream.rest()
    except UNREADABLE as error:
        raise InvalidInput(
            f"{label} is not a whole pickle: reading stopped at byte {reader.position}",
            got=f"{type(error).__name__}: {str(error)[:200]}",
            fix="save the model again with joblib.dump or pickle.dump and copy the whole file",
        ) from error
    if following:
        raise InvalidInput(
            f"{label} holds more than one object: bytes follow the end of the first pickle at {reader.position}",
            allowed="one model a file",
            fix="put the parts into one scikit-learn Pipeline and save that",
        )
    where = f"{label}, byte {{}}{' unpacked' if compressed else ''}"
    return _report(reader, where, frozenset(trusted), frozenset(shipped), compressed)


def is_allowed(name: str) -> bool:
    """Whether a name is in the built-in list.

    >>> is_allowed("collections.OrderedDict"), is_allowed("os.system"), is_allowed("numpy.load")
    (True, False, False)
    """
    return name in ALLOWED


@dataclass(frozen=True)
class SortedOut:
    """Names beyond the built-in list: refused, or accepted by an admin's word or as part of the submission."""

    refused: tuple[Name, ...]
    trusted: tuple[str, ...]
    shipped: tuple[str, ...]


def sort_out(names: Iterable[Name], trusted: frozenset[str], shipped: frozenset[str]) -> SortedOut:
    """Which names are refused, and which needed an exception. A dot in an attribute always refuses."""
    refused, by_trust, by_code = [], [], []
    for name in names:
        full, plain = str(name), "." not in name.attribute
        if plain and full in ALLOWED:
            continue
        if plain and full in trusted and not only_harms(full):
            by_trust.append(full)
        elif plain and _ships(name.module, shipped):
            by_code.append(full)
        else:
            refused.append(name)
    return SortedOut(tuple(refused), tuple(sorted(by_trust)), tuple(sorted(by_code)))


def refusal_of(name: Name, where: str) -> Refusal:
    """A refused name with why and what helps."""
    reason, fix = _why(name)
    return Refusal(str(name), where, reason, fix)


def _report(
    reader: InertUnpickler, where: str, trusted: frozenset[str], shipped: frozenset[str], compressed: bool
) -> ScanReport:
    sorted_out = sort_out(reader.names, trusted, shipped)
    refused = [refusal_of(name, where.format(reader.names[name])) for name in sorted_out.refused]
    refused += [
        Refusal(_TRICK, where.format(trick.position), trick.what, "save the model with a plain joblib.dump")
        for trick in reader.tricks
    ]
    return ScanReport(
        globals=tuple(sorted(str(name) for name in reader.names)),
        refused=tuple(refused),
        trusted=sorted_out.trusted,
        shipped=sorted_out.shipped,
        joblib=compressed or reader.arrays > 0,
    )


def _told_once(refused: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    """The refusals that people read: code that was written into the file asks for many names and is one thing to mend."""
    written = [refusal for refusal in refused if refusal.reason == _WRITTEN_IN]
    if not written:
        return refused
    others = [
        refusal
        for refusal in refused
        if refusal.reason not in (_WRITTEN_IN, _HARMFUL)
        and refusal.name != _TRICK
        and not refusal.name.startswith("builtins.")
    ]
    return (written[0], *others)


def _ships(module: str, shipped: frozenset[str]) -> bool:
    return any(module == known or module.startswith(f"{known}.") for known in shipped)


def _why(name: Name) -> tuple[str, str]:
    """Why a name is refused and what helps: the first of KNOWN that fits, else the general answer."""
    for fits, reason, fix in KNOWN:
        if fits(name):
            return reason, fix.replace("NAME", name.attribute)
    return (
        _UNKNOWN,
        "if it is your own module, pass it with --code; if it is a library that an admin has looked at: "
        "lockgate model allow-name NAMES --model MODEL --reason WHY",
    )


KNOWN: tuple[tuple[Callable[[Name], bool], str, str], ...] = (
    (
        lambda name: "<" in name.module or "<" in name.attribute,
        "it is a lambda or a nested function",
        "give it a name at the top of a module and pass that with --code",
    ),
    (
        lambda name: name.module in ("__main__", "__mp_main__"),
        "it was defined in a notebook or a script, so no other process can find it",
        "move 'NAME' into a file of its own (steps.py), import it from there, train and save again, and submit with "
        "--code steps.py",
    ),
    (
        lambda name: name.module.partition(".")[0] in _CODE_MAKERS,
        _WRITTEN_IN,
        "write it with def in a file of its own (steps.py), import it from there, train and save again with joblib.dump, "
        "and submit with --code steps.py",
    ),
    (
        lambda name: (
            name.module.startswith(_OLD_JOBLIB) or name.attribute in ("NDArrayWrapper", "ZNDArrayWrapper")
        ),
        "it was written by a very old joblib",
        "load it where it was made and save it again with joblib 1.x",
    ),
    (
        lambda name: name.module.startswith("scipy.stats"),
        "frozen distributions execute a stored text when they are loaded",
        "save search.best_estimator_ instead of the whole search",
    ),
    (
        lambda name: only_harms(str(name)),
        _HARMFUL,
        "save the model again without it; what a step of yours needs goes into a module that you pass with --code",
    ),
    (
        lambda name: "." in name.attribute,
        "it reaches through attributes of another name",
        "save the model with a plain joblib.dump",
    ),
)
