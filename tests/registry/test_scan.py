"""The scanner: planted files are refused by name and place, honest models pass, damage is a clear error."""

from __future__ import annotations

import bz2
import collections
import copyreg
import functools
import gzip
import io
import lzma
import os
import pickle
import struct
import sys
import types
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib.numpy_pickle import NumpyArrayWrapper
from scipy import stats
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from lockgate.errors import InvalidInput, LockgateError, TooLarge, Unsafe
from lockgate.registry import allowed, bounded, scan
from lockgate.registry.bounded import Bounded
from lockgate.registry.scan import ScanReport, scan_file, scan_pickle

RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.random((80, 4))
LABELS = (NUMBERS[:, 0] > 0.5).astype(int)
TABLE = pd.DataFrame(NUMBERS, columns=list("abcd")).assign(city=["Rome", "Oslo", None, "Bonn"] * 20)


def mixed() -> Pipeline:
    """Numbers scaled, text one-hot encoded, then a logistic regression."""
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), list("abcd")),
            ("text", OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ]
    )
    return Pipeline([("columns", columns), ("model", LogisticRegression())]).fit(TABLE, LABELS)


HONEST: dict[str, Callable[[], Any]] = {
    "logistic": lambda: LogisticRegression().fit(NUMBERS, LABELS),
    "forest": lambda: RandomForestClassifier(5).fit(NUMBERS, LABELS),
    "hist boosting": lambda: HistGradientBoostingClassifier(max_iter=5, categorical_features=[0]).fit(
        np.c_[LABELS, NUMBERS], LABELS
    ),
    "columns": mixed,
    "neighbours": lambda: KNeighborsClassifier(metric="manhattan", algorithm="ball_tree").fit(
        NUMBERS, LABELS
    ),
    "svm": lambda: make_pipeline(FunctionTransformer(np.log1p), SVC()).fit(NUMBERS, LABELS),
    "k-means": lambda: KMeans(2, n_init=1).fit(NUMBERS),
    "calibrated": lambda: CalibratedClassifierCV(LogisticRegression(), cv=2).fit(NUMBERS, LABELS),
    "search": lambda: GridSearchCV(LogisticRegression(), {"C": [1, 2]}, scoring="roc_auc", cv=2).fit(
        NUMBERS, LABELS
    ),
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=3).fit(NUMBERS, LABELS),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(TABLE[list("abcd")], LABELS),
    "frame": lambda: {
        "kept": TABLE,
        "index": TABLE.set_index(["a", "b"]).index,
        "odd": np.array([("x", None)], dtype="U1,O"),
    },
}
WRITERS: dict[str, Callable[[Any, Path], object]] = {
    **{
        f"pickle {protocol}": lambda model, path, p=protocol: path.write_bytes(pickle.dumps(model, p))
        for protocol in range(6)
    },
    "joblib": joblib.dump,
    **{
        f"joblib {kind}": lambda model, path, k=kind: joblib.dump(model, path, compress=(k, 3))
        for kind in ("zlib", "gzip", "bz2", "xz", "lzma")
    },
}


def of(body: bytes, **options: Any) -> ScanReport:
    """Scan some bytes."""
    return scan_pickle(Bounded(io.BytesIO(body), len(body), exact=True), label="model.pkl", **options)


@pytest.mark.parametrize("kind", HONEST)
def test_honest_models_pass_in_every_form(tmp_path: Path, kind: str) -> None:
    """Each honest model passes as pickle of every protocol and as joblib, plain and compressed; the form is recognised."""
    model = HONEST[kind]()
    for writer, write in WRITERS.items():
        path = tmp_path / "model"
        write(model, path)
        report = scan_file(path).require_safe()
        assert len(report.globals) > 1, writer
        if writer != "joblib":  # without arrays, plain joblib writes a plain pickle
            assert report.joblib == writer.startswith("joblib"), writer


class Planted:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function: Callable[..., object], *args: object) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


PLANTED: dict[str, tuple[Callable[..., object], tuple[object, ...], str]] = {
    "os.system": (os.system, ("true",), f"{os.system.__module__}.system"),
    "import": (__import__, ("os",), "builtins.__import__"),
    "importlib": (__import__("importlib").import_module, ("os",), "importlib.import_module"),
    "eval": (eval, ("1",), "builtins.eval"),
    "exec": (exec, ("1",), "builtins.exec"),
    "getattr": (getattr, (1, "real"), "builtins.getattr"),
    "numpy.load": (np.load, ("x.npy",), "numpy.load"),
    "runstring": (np.testing.rundocs, ("x.py",), "numpy.testing"),
    "runpy": (__import__("runpy").run_path, ("x.py",), "runpy.run_path"),
    "partial of system": (functools.partial, (os.system, "true"), ".system"),
    "attrgetter": (__import__("operator").attrgetter, ("system",), "operator.attrgetter"),
    "open": (open, ("/etc/passwd",), "io.open"),
    "memmap": (np.memmap, ("x", "u1"), "numpy.memmap"),
    "type": (type, ("X", (), {}), "builtins.type"),
    "code": (types.CodeType, (0,), "builtins.code"),
    "joblib.load": (joblib.load, ("x",), "joblib.numpy_pickle.load"),
    "pandas.read_pickle": (pd.read_pickle, ("x",), "read_pickle"),
}


@pytest.mark.parametrize("kind", [kind for kind in PLANTED if kind != "code"])
@pytest.mark.parametrize("writer", WRITERS)
def test_planted_calls_are_named(tmp_path: Path, kind: str, writer: str) -> None:
    """A dangerous call is refused by name in every protocol and compression, alone or deep inside an honest object."""
    function, args, name = PLANTED[kind]
    for content in (
        Planted(function, *args),
        {"model": [HONEST["logistic"](), (NUMBERS, Planted(function, *args))]},
    ):
        path = tmp_path / "model.pkl"
        WRITERS[writer](content, path)
        report = scan_file(path)
        assert any(name in refusal.name for refusal in report.refused), report.refused
        with pytest.raises(Unsafe, match="byte"):
            report.require_safe("churn")


def test_the_sentence_says_what_where_and_what_to_do() -> None:
    """The error names the file, the byte, the name and the admin's command for this very model."""
    body = pickle.dumps(Planted(collections.ChainMap, {}), 2)
    with pytest.raises(Unsafe) as raised:
        of(body).require_safe("churn")
    sentence = str(raised.value)
    assert "collections.ChainMap (model.pkl, byte " in sentence
    assert "lockgate model allow-name collections.ChainMap --model churn" in sentence
    place = int(sentence.partition("byte ")[2].partition(")")[0])
    assert body[:place].endswith(b"ChainMap\n")


def test_planted_files_were_not_run(tmp_path: Path) -> None:
    """Scanning a file that would write a file writes none."""
    proof = tmp_path / "ran"
    body = pickle.dumps(Planted(os.system, f"touch {proof}"))
    assert of(body).refused
    assert not proof.exists()
    pickle.loads(body)  # the same bytes do run when they are loaded
    assert proof.exists()


def test_objects_hidden_in_joblib_arrays_are_found(tmp_path: Path) -> None:
    """An array of objects is a pickle inside the joblib file; what it asks for is found too."""
    path = tmp_path / "model.joblib"
    joblib.dump(
        {"a": NUMBERS, "b": np.array([1, Planted(os.system, "true")], dtype=object), "c": LABELS}, path
    )
    assert [refusal.name.rpartition(".")[2] for refusal in scan_file(path).refused] == ["system"]


def test_every_name_after_raw_arrays_is_found(tmp_path: Path) -> None:
    """Arrays that hold bytes like opcodes do not derail the scan: the names behind them are still found."""
    opcodes = np.frombuffer(pickle.dumps(Planted(os.system, "true")) * 50, dtype=np.uint8)
    shapes = [
        opcodes,
        np.asfortranarray(NUMBERS),
        np.zeros(3, dtype=[("a", "f4", (2,)), ("b", "U3")]),
        np.array(3.0),
        NUMBERS[:0],
    ]
    path = tmp_path / "model.joblib"
    joblib.dump([shapes, collections.ChainMap()], path)
    report = scan_file(path)
    assert [refusal.name for refusal in report.refused] == ["collections.ChainMap"]


def wrapper_body(**state: Any) -> bytes:
    """A hand-made joblib array with this state, then a call of os.system where the raw data should be."""
    wrapper = NumpyArrayWrapper(np.ndarray, (0,), "C", np.dtype("u1"))
    wrapper.__dict__.update(state)
    body = pickle.dumps([wrapper], 2)
    return body[:-2] + pickle.dumps(Planted(os.system, "true"), 2)[2:-1] + body[-2:]


@pytest.mark.parametrize(
    "state",
    [{}, {"shape": (-1,)}, {"shape": (2**40,)}, {"shape": ("3",)}, {"dtype": "u1"}, {"dtype": np.dtype("O")}],
)
def test_lying_arrays_hide_nothing(state: dict[str, Any]) -> None:
    """An array that lies about its size or type is refused, or what follows it is read as the loader would read it."""
    with pytest.raises((InvalidInput, Unsafe)):
        of(wrapper_body(**state)).require_safe()


def test_a_type_that_contradicts_itself_is_refused() -> None:
    """A dtype whose state claims another size than its name would move the scanner away from the loader."""
    body = wrapper_body(dtype=np.dtype("V8"))
    state = pickle.dumps(np.dtype("V8"), 2)
    assert b"K\x08K\x01K\x00" in state
    lying = body.replace(b"K\x08K\x01K\x00", b"K\xffK\x01K\x00")
    with pytest.raises(InvalidInput, match="contradicts itself"):
        of(lying)


def opcodes(*parts: bytes) -> bytes:
    """A protocol-2 pickle of these opcodes."""
    return b"\x80\x02" + b"".join(parts) + b"."


TRICKS: dict[str, bytes] = {
    "dotted": b"\x80\x04\x8c\x0dcollections\x00\x00".replace(b"\x00\x00", b"")[:-11]
    + b"\x8c\x0bcollections\x8c\x10abc.sys.modules.\x93.",
    "call of a made object": opcodes(b"cfunctools\npartial\n", b"cbuiltins\nlist\n\x85R", b")R"),
    "class changed": opcodes(b"ccollections\nOrderedDict\n", b"N}X\x03\x00\x00\x00foo", b"N", b"s\x86b"),
    "class as a list": opcodes(b"ccollections\nOrderedDict\n", b"N", b"a"),
    "hidden attribute": opcodes(b"cbuiltins\nobject\n)\x81}X\x09\x00\x00\x00__class__Nsb"),
    "extension code": opcodes(b"\x82\x01"),
    "wrapper to a call": opcodes(b"cbuiltins\nlist\ncjoblib.numpy_pickle\nNumpyArrayWrapper\n\x85R"),
    "computed name": b"\x80\x04cbuiltins\nstr\nX\x02\x00\x00\x00os\x85R\x8c\x06system\x93.",
    "old class call": b"(cos\nsystem\nX\x04\x00\x00\x00trueo.",
    "old instance": b"(S'true'\nios\nsystem\n.",
    "Python 2 name": b"c__builtin__\neval\n(S'1'\ntR.",
    "popped": b"cos\nsystem\n0N.",
    "outside": b"Pfile\n.",
    "buffer": b"\x80\x05\x97.",
}


@pytest.mark.parametrize("kind", TRICKS)
def test_tricks_are_refused(kind: str) -> None:
    """Attribute walks, patched classes, calls of made objects, computed names and the like are refused."""
    with pytest.raises((Unsafe, InvalidInput)):
        of(TRICKS[kind]).require_safe()


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"x.", "bytearray"),
        (b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"x.", "frame"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.", "bytes"),
        (b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"x.", "number"),
    ],
)
def test_lengths_are_not_believed(body: bytes, what: str) -> None:
    """A length of a terabyte in a small file is an error, not an allocation."""
    with pytest.raises(InvalidInput, match="not a whole pickle"):
        of(body)


def test_shared_tuples_cost_nothing() -> None:
    """A tuple that doubles sixty times and is used as a key would take ages to hash; the scanner does not."""
    doubled = b"".join([b")", *[b"2\x86" for _ in range(60)]])
    assert of(opcodes(b"}", doubled, b"Ns")).refused == ()
    assert of(opcodes(b"(", doubled, b"\x91").replace(b"\x80\x02", b"\x80\x04")).refused == ()


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that unpacks to more than the limit is refused without being unpacked further."""
    monkeypatch.setattr(scan, "MAX_UNPACKED_BYTES", 1_000_000)
    path = tmp_path / "model.joblib"
    joblib.dump(np.zeros(10_000_000, dtype=np.uint8), path, compress=("zlib", 9))
    with pytest.raises(TooLarge, match="1000000 bytes"):
        scan_file(path)


@pytest.mark.parametrize(
    "writer",
    ["pickle 0", "pickle 2", "pickle 5", "joblib", "joblib zlib", "joblib gzip", "joblib xz", "joblib bz2"],
)
def test_a_cut_file_is_named_at_every_byte(tmp_path: Path, writer: str) -> None:
    """Whatever byte a file ends at, the answer is InvalidInput and nothing else."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    WRITERS[writer](
        {
            "a": LogisticRegression().fit(NUMBERS[:20, :1], LABELS[:20]),
            "b": np.array(["x", None], dtype=object),
        },
        whole,
    )
    body = whole.read_bytes()
    for length in range(len(body)):
        cut.write_bytes(body[:length])
        with pytest.raises(InvalidInput):
            scan_file(cut)


@settings(max_examples=400, deadline=None)
@given(
    place=st.integers(0, 10**6),
    value=st.integers(0, 255),
    form=st.sampled_from(["pickle 0", "pickle 5", "joblib", "joblib zlib"]),
)
def test_a_changed_byte_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, form: str
) -> None:
    """Any changed byte gives a report or one of our own errors."""
    path = tmp_path_factory.getbasetemp() / f"changed-{form.replace(' ', '-')}"
    if form not in _WHOLE:
        WRITERS[form](HONEST["columns"](), path)
        _WHOLE[form] = path.read_bytes()
    body = bytearray(_WHOLE[form])
    body[place % len(body)] = value
    path.write_bytes(bytes(body))
    try:
        report = scan_file(path)
    except LockgateError:
        return
    assert report.globals


_WHOLE: dict[str, bytes] = {}


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200))
def test_random_bytes_never_crash(body: bytes) -> None:
    """Any bytes give a report or one of our own errors."""
    try:
        report = of(body)
    except LockgateError:
        return
    assert isinstance(report.globals, tuple)


def test_more_than_one_object_is_refused() -> None:
    """A second pickle behind the first would be ignored by the loader; its author is told."""
    with pytest.raises(InvalidInput, match="more than one object"):
        of(pickle.dumps(1) + pickle.dumps(2))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("__main__.Clip", "--code steps.py"),
        ("cloudpickle.cloudpickle._make_function", "cloudpickle"),
        ("sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper", "very old joblib"),
        ("steps.Clip", "--code"),
    ],
)
def test_common_refusals_have_a_fix(name: str, words: str) -> None:
    """Classes of a notebook, written-in code, old files and own modules: each error says exactly what helps."""
    module, _, attribute = name.rpartition(".")
    with pytest.raises(Unsafe) as raised:
        of(f"c{module}\n{attribute}\n.".encode()).require_safe()
    assert words in str(raised.value)


def test_a_lambda_written_in_by_cloudpickle_is_told_once() -> None:
    """Whatever names its bytes ask for, there is one reason and one thing to do, and that one works."""
    model = make_pipeline(FunctionTransformer(lambda rows: rows + 1), LogisticRegression()).fit(
        NUMBERS, LABELS
    )
    with pytest.raises(Unsafe) as raised:
        of(cloudpickle.dumps(model)).require_safe("churn")
    assert str(raised.value.got).count("cloudpickle or dill") == 1
    assert "a trick" not in str(raised.value.got)
    assert raised.value.fix.startswith("write it with def in a file of its own (steps.py)")
    assert raised.value.fix.count("save") == 1


def test_names_that_only_do_harm_are_refused_even_when_trusted() -> None:
    """An older allowance of such a name counts no more, and the error does not propose a new one."""
    report = of(b"cos\nsystem\n.", trusted=["os.system"])
    assert [refusal.name for refusal in report.refused] == ["os.system"]
    with pytest.raises(Unsafe) as raised:
        report.require_safe("churn")
    assert "allow-name" not in str(raised.value)


def test_frozen_distributions_are_refused() -> None:
    """They execute a stored text when loaded, so a random search is refused with the way out."""
    search = RandomizedSearchCV(LogisticRegression(), {"C": stats.uniform(0.1, 1)}, n_iter=1, cv=2).fit(
        NUMBERS, LABELS
    )
    with pytest.raises(Unsafe, match="best_estimator_"):
        of(pickle.dumps(search)).require_safe()
    of(pickle.dumps(search.best_estimator_)).require_safe()


def test_trusted_and_shipped_names_are_accepted_and_listed() -> None:
    """An admin's exact name and the modules that were submitted are accepted; neighbours of them are not."""
    body = b"(cmylib.steps\nClip\ncsteps.deep\nScale\nl."
    report = of(body, trusted=["mylib.steps.Clip"], shipped=["steps"])
    assert (report.refused, report.trusted, report.shipped) == (
        (),
        ("mylib.steps.Clip",),
        ("steps.deep.Scale",),
    )
    assert [refusal.name for refusal in of(body, trusted=["mylib.steps"], shipped=["step"]).refused] == [
        "mylib.steps.Clip",
        "steps.deep.Scale",
    ]
    assert of(b"\x80\x04\x8c\x05steps\x8c\x09os.system\x93.", shipped=["steps"]).refused


def test_the_list_holds_exact_names_of_real_things() -> None:
    """Every listed name of an installed library that has it resolves to a class or function, and none is dangerous."""
    dangerous = {
        "getattr",
        "eval",
        "exec",
        "__import__",
        "load",
        "loads",
        "attrgetter",
        "system",
        "type",
        "compile",
        "open",
        "memmap",
    }
    assert not {name for name in allowed.ALLOWED if name.rpartition(".")[2] in dangerous}
    assert not {
        name
        for name in allowed.ALLOWED
        if not name.isascii() or "*" in name or name.startswith("scipy.stats")
    }
    parts = [name.rpartition(".") for name in allowed.ALLOWED]
    found = [name for module, _, name in parts if name in vars(sys.modules.get(module, os))]
    assert len(found) > 300


def test_unpacking_reads_what_was_packed(tmp_path: Path) -> None:
    """Each compression gives back the packed bytes, and its own magic is recognised."""
    body = os.urandom(100_000) + b"x" * 1_000_000
    for kind, packed in {"zlib": zlib.compress(body), "gzip": gzip.compress(body), "bz2": bz2.compress(body),
                         "xz": lzma.compress(body), "lzma": lzma.compress(body, format=lzma.FORMAT_ALONE)}.items():  # fmt: skip
        path = tmp_path / kind
        path.write_bytes(packed)
        with bounded.open_bounded(path, 10_000_000) as (stream, found):
            assert (found, stream.read(len(body)) == body, stream.rest()) == (kind, True, 0)


def test_lz4_is_named(tmp_path: Path) -> None:
    """A compression that is not read here is named with what to do."""
    path = tmp_path / "model.lz4"
    path.write_bytes(b"\x04\x22\x4d\x18rest")
    with pytest.raises(InvalidInput, match="lz4"):
        scan_file(path)


def test_reconstructors_of_old_protocols_are_followed() -> None:
    """Protocols 0 and 1 make objects by copyreg: honest ones pass, others are refused by name."""
    assert of(pickle.dumps(StandardScaler().fit(NUMBERS), 0)).refused == ()
    body = pickle.dumps(Planted(copyreg._reconstructor, Planted, object, None), 0)  # type: ignore[attr-defined]
    assert any("Planted" in refusal.name for refusal in of(body).refused)
