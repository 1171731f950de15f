"""skops files: honest ones pass, foreign types are named, damage and bombs are clear errors."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from lightgbm import LGBMClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from lockgate.errors import InvalidInput, TooLarge, Unsafe
from lockgate.registry import skopsfile
from lockgate.registry.skopsfile import scan_skops

NUMBERS = np.random.default_rng(0).random((60, 3))
LABELS = (NUMBERS[:, 0] > 0.5).astype(int)


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        RandomForestClassifier(3),
        HistGradientBoostingClassifier(max_iter=3),
        make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()),
        LGBMClassifier(n_estimators=2, verbose=-1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_honest_models_pass(tmp_path: Path, model: LogisticRegression) -> None:
    """Models that skops writes pass, and every type in them is listed."""
    path = tmp_path / "model.skops"
    skops.io.dump(model.fit(NUMBERS, LABELS), path, compression=zipfile.ZIP_DEFLATED)
    report = scan_skops(path).require_safe()
    assert f"{type(model).__module__}.{type(model).__name__}" in report.globals


def planted(path: Path, module: str, name: str) -> None:
    """An honest file in which one function was exchanged."""
    skops.io.dump(make_pipeline(FunctionTransformer(np.log1p)).fit(NUMBERS), path)
    with zipfile.ZipFile(path) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    text = parts["schema.json"].decode()
    assert '"__class__": "log1p"' in text
    text = text.replace('"__class__": "log1p"', f'"__class__": "{name}"')
    text = text.replace(
        '"__module__": "numpy",\n                  "__loader__": "FunctionNode"',
        f'"__module__": "{module}",\n                  "__loader__": "FunctionNode"',
    )
    parts["schema.json"] = json.dumps(exchange(json.loads(text), module, name)).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for entry, body in parts.items():
            archive.writestr(entry, body)


def exchange(part: object, module: str, name: str) -> object:
    """Set the module wherever the exchanged name stands."""
    if isinstance(part, dict):
        if part.get("__class__") == name:
            part["__module__"] = module
        return {key: exchange(value, module, name) for key, value in part.items()}
    return [exchange(value, module, name) for value in part] if isinstance(part, list) else part


@pytest.mark.parametrize(
    ("module", "name", "harms"),
    [
        ("os", "system", True),
        ("numpy", "load", True),
        ("mylib.steps", "Clip", False),
        ("__main__", "Clip", False),
    ],
)
def test_foreign_names_are_refused(tmp_path: Path, module: str, name: str, harms: bool) -> None:
    """What is not in the list is refused by name; an exception for exactly this name lets it pass, unless it only harms."""
    path = tmp_path / "model.skops"
    planted(path, module, name)
    with pytest.raises(Unsafe, match=rf"{module}\.{name}"):
        scan_skops(path).require_safe()
    accepted = scan_skops(path, trusted=[f"{module}.{name}"]).trusted
    assert accepted == (() if harms else (f"{module}.{name}",))


def test_a_cut_file_is_named_at_every_tenth_byte(tmp_path: Path) -> None:
    """Whatever byte a file ends at, the answer is InvalidInput."""
    path = tmp_path / "model.skops"
    skops.io.dump(LogisticRegression().fit(NUMBERS, LABELS), path)
    body = path.read_bytes()
    for length in range(0, len(body), 10):
        path.write_bytes(body[:length])
        with pytest.raises(InvalidInput, match="not a whole skops file"):
            scan_skops(path)


@pytest.mark.parametrize(
    "schema", ["", "[]", "{}", '{"__class__": "x"}', "[" * 100_000, '{"a": {"__module__": 1}}']
)
def test_a_wrong_description_is_an_error(tmp_path: Path, schema: str) -> None:
    """A zip with another description is not a skops file."""
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", schema)
    with pytest.raises(InvalidInput):
        scan_skops(path)


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small zip that unpacks to more than the limit is refused before it is unpacked."""
    monkeypatch.setattr(skopsfile, "MAX_UNPACKED_BYTES", 1_000_000)
    path = tmp_path / "model.skops"
    skops.io.dump(LogisticRegression().fit(NUMBERS, LABELS), path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", b"\0" * 10_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(TooLarge, match="unpacks to too much"):
        scan_skops(path)
