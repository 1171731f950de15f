"""Keras files as Keras 3.15 wrote them (keras_files/), and the same with what an attacker would put in."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.errors import InvalidInput, TooLarge, Unsafe
from lockgate.registry import kerasfile
from lockgate.registry.kerasfile import CONFIG, read_keras
from lockgate.registry.manifest import Framework
from lockgate.registry.signature import DataType, Field
from lockgate.submission.recognise import Kind, recognise
from lockgate.submission.source import Exceptions, place

FILES = Path(__file__).parent / "keras_files"
NOBODY = Exceptions("prices", frozenset(), frozenset())


def changed(
    name: str, into: Path, change: Callable[[dict[str, Any]], None], more: dict[str, bytes] | None = None
) -> Path:
    """A copy of a file with another configuration."""
    target = into / "changed.keras"
    with zipfile.ZipFile(FILES / name) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            body = old.read(entry)
            if entry == CONFIG:
                config = json.loads(body)
                change(config)
                body = json.dumps(config).encode()
            new.writestr(entry, body)
        for entry, body in (more or {}).items():
            new.writestr(entry, body)
    return target


def test_an_honest_file_says_its_inputs(tmp_path: Path) -> None:
    """Layers, operations and look-ups of Keras pass; names, types and shapes of the inputs are known without Keras."""
    found = read_keras(FILES / "fun.keras")
    assert found.report.refused == ()
    assert found.version == "3.15.1"
    assert found.inputs == (
        Field(name="age", datatype=DataType.FP32),
        Field(name="plan", datatype=DataType.BYTES),
    )
    assert "keras.layers.StringLookup" in found.report.globals
    assert read_keras(FILES / "text.keras").report.refused == ()
    given = tmp_path / "anything"
    given.write_bytes((FILES / "fun.keras").read_bytes())
    assert recognise(given).kind is Kind.KERAS
    source = place(given, tmp_path / "draft", None, NOBODY)
    assert (source.framework, source.model_path, source.inputs) == (
        Framework.KERAS,
        "model/model.keras",
        found.inputs,
    )


@pytest.mark.parametrize(
    ("file", "said"),
    [("lambda.keras", "Lambda.*Python bytecode"), ("mine.keras", "Mine.*a class of your own")],
)
def test_what_keras_itself_writes_and_nobody_loads(file: str, said: str) -> None:
    """A Lambda layer and a registered class of one's own are refused by name, with a way out."""
    with pytest.raises(Unsafe, match=rf"{said}.*Keras's own layers.*ONNX"):
        read_keras(FILES / file).report.require_safe()


def planted(**layer: Any) -> Callable[[dict[str, Any]], None]:
    """A change that puts an object where an initializer is."""

    def change(config: dict[str, Any]) -> None:
        dense = next(one for one in config["config"]["layers"] if one["class_name"] == "Dense")
        dense["config"]["kernel_initializer"] = {"registered_name": None, "config": {}, **layer}

    return change


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ({"module": "os", "class_name": "system"}, "os.system"),
        ({"module": "keras.utils", "class_name": "get_file"}, "keras.utils.get_file"),
        ({"module": "keras.src.saving.saving_lib", "class_name": "load_model"}, "load_model"),
        ({"module": "builtins", "class_name": "function", "config": "get_file"}, "none of Keras's activations"),
        ({"module": "antigravity", "class_name": "function", "config": "relu"}, "none of Keras's activations"),
        ({"module": "builtins", "class_name": "function", "config": ["relu"]}, "none of Keras's activations"),
        ({"module": "keras.layers", "class_name": "TorchModuleWrapper"}, "holds a pickle"),
        ({"module": "keras.layers", "class_name": "TFSMLayer"}, "loads a program from a path"),
        ({"module": "keras.initializers", "class_name": "Zeros", "registered_name": "my>Zeros"}, "a class of your own"),
        ({"class_name": "__lambda__", "config": {"code": "4wEA"}}, "is Python bytecode"),
        ({"module": "keras.src.ops.core", "class_name": "Map"}, "not among the classes"),
        ({"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}, "from a path"),
    ],
)  # fmt: skip
def test_what_an_attacker_puts_in_is_refused(tmp_path: Path, layer: dict[str, Any], said: str) -> None:
    """Modules that are imported, functions that are called, readers of files: each is named and nothing is loaded."""
    report = read_keras(changed("fun.keras", tmp_path, planted(**layer))).report
    with pytest.raises(Unsafe, match=said):
        report.require_safe()


def test_an_activation_given_as_a_function_is_arithmetic(tmp_path: Path) -> None:
    """As Keras writes one that is no name: with the module of its own functions."""
    for module in ("builtins", "keras.activations", "keras.ops"):
        layer = {"module": module, "class_name": "function", "config": "relu", "registered_name": "relu"}
        assert read_keras(changed("fun.keras", tmp_path, planted(**layer))).report.refused == ()


@pytest.mark.parametrize("shape", [5, [None, 10**400], [None, -7], [None, True], [None, "two"]])
def test_a_shape_that_is_none_leaves_the_inputs_unknown(tmp_path: Path, shape: Any) -> None:
    """Sizes that no signature can hold are no sizes."""

    def change(config: dict[str, Any]) -> None:
        entry = next(one for one in config["config"]["layers"] if one["class_name"] == "InputLayer")
        entry["config"]["batch_shape"] = shape

    assert read_keras(changed("fun.keras", tmp_path, change)).inputs == ()


def test_layers_that_are_no_list_are_no_inputs(tmp_path: Path) -> None:
    """Whatever stands where Keras writes its layers, it is read without a crash."""
    path = changed("fun.keras", tmp_path, lambda config: config["config"].update(layers=5))
    assert read_keras(path).inputs == ()


def test_paths_and_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that leads out of the archive is refused, a configuration of any size is not read."""
    path = changed("fun.keras", tmp_path, lambda _config: None, {"assets/../../x.txt": b"", "run.py": b""})
    with pytest.raises(Unsafe, match=r"x\.txt.*run\.py"):
        read_keras(path).report.require_safe()
    monkeypatch.setattr(kerasfile, "MOST_CONFIG_BYTES", 100)
    with pytest.raises(TooLarge, match=r"config\.json"):
        read_keras(FILES / "fun.keras")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    """Cut off, not JSON, nested without end, weights that are none: an error each, never a crash."""
    whole = (FILES / "fun.keras").read_bytes()
    path = tmp_path / "model.keras"
    for size in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:size])
        with pytest.raises(InvalidInput, match="is not a whole Keras file"):
            read_keras(path)
    for config, weights in (
        (b"{", b"\x89HDF\r\n\x1a\n"),
        (b"[" * 100_000, b"\x89HDF\r\n\x1a\n"),
        (b"{}", b"pickle"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", config)
            archive.writestr("metadata.json", "{}")
            archive.writestr("model.weights.h5", weights)
        with pytest.raises(InvalidInput, match=r"model\.keras is not a whole Keras file"):
            read_keras(path)


def test_other_ways_to_save_have_a_way_out(tmp_path: Path) -> None:
    """A SavedModel and an HDF5 file are refused with what to do instead."""
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(InvalidInput, match=r"SavedModel.*model\.save\('model\.keras'\)"):
        recognise(tmp_path / "saved")
    (tmp_path / "old.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(InvalidInput, match=r"HDF5.*save\('model\.keras'\)"):
        recognise(tmp_path / "old.h5")
