"""Many inputs and outputs, every type, texts and pictures: what tritonclient sends comes back as it was, by every way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as by_grpc
import tritonclient.http as by_http
from tests.clients.conftest import with_grpc
from tests.clients.pictures import BRIGHTNESS, PICTURE, PICTURES, SENT, mixed, pictures_only
from tests.gateway.conftest import (
    HEADERS,
    KEY,
    World,
)  # the client writes into what it is given: hand over copies
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.gateway.grpc.tensors import CONTENTS
from lockgate.predictions.record import columns_of
from lockgate.registry.signature import DataType
from lockgate.traffic import Arm, Role, Route

NOT_IN_JSON = {"fp16"}  # tritonclient refuses to write it so


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, int]]:
    """`mixed`, `listed` (the same without the type that no list holds) and `bright` are live, over HTTP and gRPC."""
    home = Home(tmp_path_factory.mktemp("many") / "home").prepare()
    world = World(home, Blobs(str(home.blobs)))
    port = with_grpc(world)
    listed = tuple(kind for kind in DataType if kind is not DataType.FP16)
    for model, digest in (
        ("mixed", mixed(world)),
        ("listed", mixed(world, listed)),
        ("bright", pictures_only(world)),
    ):
        world.plan.publish_route(
            Route(model=model, arms=(Arm(version=1, digest=digest, role=Role.LIVE),), salt="s")
        )
    world.worker()
    yield world, port
    world.close()


def tensors(client: Any, *, binary: set[str] | None = None) -> list[Any]:
    """All inputs; over HTTP those in `binary` as raw bytes, the others as JSON."""
    made = []
    for name, array in SENT.items():
        tensor = client.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        if client is by_http:
            tensor.set_data_from_numpy(array, binary_data=binary is None or name in binary)
        else:
            tensor.set_data_from_numpy(array)
        made.append(tensor)
    return made


def the_same(found: Any) -> None:
    """Every output is its input; texts come as UTF-8."""
    for name, array in SENT.items():
        back = found.as_numpy(f"same_{name}")
        if array.dtype.kind == "O":
            back = np.array(
                [cell.decode() if isinstance(cell, bytes) else cell for cell in back], dtype=object
            )
        assert (back.dtype, back.shape) == (array.dtype, array.shape), name
        assert back.tolist() == array.tolist(), name
    assert found.as_numpy("brightness") == pytest.approx(BRIGHTNESS, rel=1e-6)


@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
@pytest.mark.parametrize("form", ["binary", "mixed", "json"])
def test_every_type_over_http(served: tuple[World, int], form: str, packing: str | None) -> None:
    """All binary; every second tensor and output as JSON; all that the client writes so as JSON. One record holds all."""
    world, _ = served
    names = list(SENT)
    binary = {"binary": None, "mixed": {*names[::2], *NOT_IN_JSON}, "json": NOT_IN_JSON}[form]
    outputs = [
        by_http.InferRequestedOutput(name, binary_data=form == "mixed" and place % 2 == 0)
        for place, name in enumerate([*(f"same_{name}" for name in names), "brightness"])
    ]
    client = by_http.InferenceServerClient(f"127.0.0.1:{world.port}")
    found = client.infer(
        "mixed", tensors(by_http, binary=binary), outputs=None if form == "binary" else outputs, headers=dict(HEADERS),
        request_compression_algorithm=packing, response_compression_algorithm=packing,
    )  # fmt: skip
    the_same(found)
    client.close()
    logged = columns_of(world.records()[-1].inputs)
    assert logged["picture"].tolist() == PICTURES.tolist()
    assert logged["uint64"].tolist() == SENT["uint64"].tolist()


def test_every_type_over_grpc(served: tuple[World, int]) -> None:
    """The same as raw contents."""
    _, port = served
    with by_grpc.InferenceServerClient(f"127.0.0.1:{port}") as client:
        the_same(client.infer("mixed", tensors(by_grpc), headers=dict(HEADERS)))


def test_every_list_over_grpc(served: tuple[World, int]) -> None:
    """The same as typed contents, which every type but FP16 has; the answers come as lists, too."""
    world, port = served
    request = service_pb2.ModelInferRequest(model_name="listed")
    for name, array in SENT.items():
        if name not in NOT_IN_JSON:
            kind = np_to_triton_dtype(array.dtype)
            tensor = request.inputs.add(name=name, datatype=kind, shape=array.shape)
            flat = array.ravel().tolist()
            values = [text.encode() for text in flat] if kind == "BYTES" else flat
            getattr(tensor.contents, CONTENTS[kind]).extend(values)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(request, metadata=(("x-api-key", KEY),))
    assert not answer.raw_output_contents
    back = {one.name.removeprefix("same_"): one for one in answer.outputs}
    for tensor in request.inputs:
        found = back[tensor.name]
        assert (found.datatype, list(found.shape)) == (tensor.datatype, list(tensor.shape))
        assert found.contents == tensor.contents, tensor.name
    assert list(back["brightness"].contents.fp32_contents) == pytest.approx(BRIGHTNESS.tolist(), rel=1e-6)
    assert world.records()[-1].model == "listed"


def test_metadata_tell_every_tensor(served: tuple[World, int]) -> None:
    """Names, types and shapes, a picture's too."""
    world, _ = served
    client = by_http.InferenceServerClient(f"127.0.0.1:{world.port}")
    told = client.get_model_metadata("mixed", headers=dict(HEADERS))
    client.close()
    shapes = {one["name"]: (one["datatype"], one["shape"]) for one in told["inputs"]}
    assert list(shapes) == list(SENT)
    assert shapes["picture"] == ("UINT8", [-1, *PICTURE])
    assert shapes["uint32"] == ("UINT32", [-1])
    assert len(told["outputs"]) == len(SENT) + 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/bright:predict", {"instances": PICTURES.tolist()}),
        ("/v1/models/bright:predict", {"instances": [{"picture": one} for one in PICTURES.tolist()]}),
        ("/v1/models/bright:predict", {"inputs": {"picture": PICTURES.tolist()}}),
        ("/models/bright/invocations", {"inputs": PICTURES.tolist()}),
        ("/models/bright/invocations", {"instances": PICTURES.tolist()}),
    ],
)
def test_pictures_as_nested_lists(served: tuple[World, int], path: str, body: dict[str, Any]) -> None:
    """KServe v1 and MLflow: the only input need not be named."""
    world, _ = served
    with world.client() as client:
        response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    assert response.json()["predictions"] == pytest.approx(BRIGHTNESS.tolist(), rel=1e-6)


def test_a_wrong_type_or_extension_is_named(served: tuple[World, int]) -> None:
    """Numbers out of range, a picture of another size, shared memory and classification."""
    world, _ = served
    client = by_http.InferenceServerClient(f"127.0.0.1:{world.port}")

    def refusal(array: np.ndarray, **settings: Any) -> str:
        tensor = by_http.InferInput("picture", list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        with pytest.raises(InferenceServerException) as caught:
            client.infer("bright", [tensor], headers=dict(HEADERS), **settings)
        assert caught.value.status() == "400"
        return str(caught.value.message())

    assert "'picture' must be whole numbers from 0 to 255; received: 256" in refusal(
        PICTURES.astype(np.int32) + 249
    )
    assert "'picture' has another shape; received: [3, 4, 5, 3]" in refusal(PICTURES[:, :, :5].copy())
    wanted = [by_http.InferRequestedOutput("brightness", class_count=2)]
    assert "likeliest classes, which are not offered" in refusal(PICTURES, outputs=wanted)
    assert "sequences of requests that share a state" in refusal(PICTURES, sequence_id=7)
    shared = by_http.InferInput("picture", list(PICTURES.shape), "UINT8")
    shared.set_shared_memory("region", PICTURES.nbytes)
    with pytest.raises(InferenceServerException, match="tensors in shared memory, which are not offered"):
        client.infer("bright", [shared], headers=dict(HEADERS))
    client.close()
