"""A small world for the gateway's tests: real sealed packages, a real worker process, real HTTP."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import msgspec
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from lockgate.access import Access, AccessShelf, Caller, key_hash
from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.membership import Member
from lockgate.predictions.log import LogReader
from lockgate.predictions.record import Record
from lockgate.registry.example import Example, encode_example
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.package import blob_name, seal
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.traffic import Arm, Plan, PlanShelf, Role, Route

START_S = 120.0  # a busy machine
TEST_PROCESSES = 16  # at most, beside each other
KEY = "test-key"
HEADERS = {"authorization": f"Bearer {KEY}"}
WEIGHTS = np.array([0.5, -0.25, 1.0], dtype=np.float32)
INPUTS = tuple(Field(name=name, datatype=DataType.FP32) for name in "abc")
OUTPUTS = (
    Field(name="prediction", datatype=DataType.INT64),
    Field(name="probability", datatype=DataType.FP32),
)
ANSWER = Answer(prediction="prediction", probability="probability", classes=(0, 1), positive=1)


def wait_for(what: Callable[[], object], limit_s: float = 60.0) -> object:
    """Poll until `what` gives something true."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


def logistic(rows: np.ndarray, bias: float = 0.0) -> np.ndarray:
    """What the linear graph answers as probability."""
    return np.float32(1) / (1 + np.exp(-(rows.astype(np.float32) @ WEIGHTS + np.float32(bias))))


def graph(kind: str = "good", bias: float = 0.0) -> bytes:
    """A logistic graph over `[n, 3]`; `raises`: for a >= 7; `nan`: for a >= 7."""
    weights = [
        numpy_helper.from_array(WEIGHTS.reshape(3, 1), "w"),
        numpy_helper.from_array(np.float32([bias]), "b"),
    ]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["z0"])]
    last = "z0"
    if kind != "good":
        weights += [
            numpy_helper.from_array(np.int64([0]), "first"),
            numpy_helper.from_array(
                np.float32([0] * 7 + ([] if kind == "raises" else [np.nan] * 3)), "table"
            ),
        ]
        nodes += [
            helper.make_node("Gather", ["x", "first"], ["a"], axis=1),
            helper.make_node("Cast", ["a"], ["i"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "i"], ["t"], axis=0),
            helper.make_node("Add", ["z0", "t"], ["z1"]),
        ]
        last = "z1"
    weights.append(numpy_helper.from_array(np.float32([0.5]), "half"))
    nodes += [
        helper.make_node("Sigmoid", [last], ["probability"]),
        helper.make_node("Greater", ["probability", "half"], ["g"]),
        helper.make_node("Cast", ["g"], ["prediction"], to=TensorProto.INT64),
    ]
    outs = [
        helper.make_tensor_value_info("prediction", TensorProto.INT64, [None, 1]),
        helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1]),
    ]
    ins = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])]
    made = helper.make_graph(nodes, "logistic", ins, outs, weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return bytes(model.SerializeToString())


def quiet_port() -> int:
    """A free port below those that outgoing connections take at any moment; each test process takes others."""
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % TEST_PROCESSES
    while True:
        port = random.randrange(20_000, 32_000, TEST_PROCESSES) + mine
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


class Worker:
    """One worker process."""

    def __init__(self, home: Home, port: int, name: str, *more: str) -> None:
        self.home, self.port, self.name = home, port, name
        argv = [
            sys.executable,
            "-m",
            "lockgate.gateway.worker",
            "--home",
            str(home.root),
            "--port",
            str(port),
        ]
        with (home.run / f"{name}.err").open("ab") as words:
            self._before = words.tell()  # a worker of the same name may have spoken already
            self.process = subprocess.Popen(
                [*argv, "--name", name, *more], stdout=subprocess.DEVNULL, stderr=words
            )

    @property
    def words(self) -> str:
        """What it wrote to standard error."""
        return (self.home.run / f"{self.name}.err").read_text()

    @property
    def listens(self) -> bool:
        """Whether this very process said that it listens."""
        assert self.process.poll() is None, self.words
        return f"{self.name} listens on" in self.words[self._before :]

    @property
    def member(self) -> Member | None:
        """What it says of itself."""
        path = self.home.members / f"{self.name}.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Member)
        except FileNotFoundError:
            return None

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class World:
    """A home with packages, a plan, keys and workers."""

    def __init__(self, home: Home, blobs: Blobs) -> None:
        self.home, self.blobs = home, blobs
        self.port = quiet_port()
        self.plan, self.access = PlanShelf(home.plan), AccessShelf(home.access)
        self.workers: list[Worker] = []
        self.allow()

    def allow(self, *models: str) -> None:
        """Let the test's key call these models (default: all)."""
        self.access.publish(Access(callers={key_hash(KEY): Caller("tester", models or ("*",))}))

    def package(
        self,
        kind: str = "good",
        *,
        bias: float = 0.0,
        code: str | None = None,
        inputs: tuple[Field, ...] = INPUTS,
    ) -> str:
        """Seal a graph, or a Python function, into the store; the digest."""
        folder = self.home.root / f"staging-{os.urandom(4).hex()}"
        (folder / ("model" if code is None else "code")).mkdir(parents=True)
        example = {"a": np.float32([1, 2]), "b": np.float32([0, 1]), "c": np.float32([-1, 1])}
        if code is None:
            (folder / "model/model.onnx").write_bytes(graph(kind, bias))
            probability = logistic(np.stack(list(example.values()), axis=1), bias)
            golden = {"prediction": (probability > 0.5).astype(np.int64), "probability": probability}
            (folder / "example.json").write_bytes(encode_example(Example(example, golden, golden)))
        else:
            (folder / "code/own.py").write_text(code)
        manifest = Manifest(
            framework=Framework.ONNX if code is None else Framework.PYTHON,
            task=Task.CLASSIFICATION,
            signature=Signature(inputs=inputs, outputs=OUTPUTS),
            answer=ANSWER,
            model_path="model/model.onnx" if code is None else "code/own.py",
            entry=None if code is None else "own:predict",
            compiled=Compiled(reason=None if code is None else "a Python function"),
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            requirements=(f"numpy=={np.__version__}",),
        )
        digest, _ = seal(folder, manifest)
        self.blobs.put_tree(blob_name(digest), folder)
        return digest

    def route(self, live: str | None, canary: str | None = None, weight: float = 0.0, **more: object) -> Plan:
        """Publish the route of model `churn`: live is version 1, canary version 2."""
        arms = [Arm(version=1, digest=live, role=Role.LIVE)] if live else []
        if canary:
            arms.append(Arm(version=2, digest=canary, role=Role.CANARY, weight=weight))
        settings = {"release": 7, "salt": "s", **more}
        killed = settings.pop("killed", ())
        return self.plan.publish_route(Route(model="churn", arms=tuple(arms), **settings), killed=killed)  # type: ignore[arg-type]

    def route_of(self, model: str, live: str) -> Plan:
        """Publish the route of another model: version 1 is live."""
        return self.plan.publish_route(
            Route(model=model, arms=(Arm(version=1, digest=live, role=Role.LIVE),), salt="s")
        )

    def worker(self, name: str = "gateway-0", *more: str, listening: bool = True) -> Worker:
        """Start a worker and wait until it says that it listens (a sibling may answer on the same port), and answers."""
        worker = Worker(self.home, self.port, name, *more)
        self.workers.append(worker)
        if listening:
            wait_for(lambda: worker.listens and self._answers(worker) and worker.member is not None, START_S)
        return worker

    def _answers(self, worker: Worker) -> bool:
        assert worker.process.poll() is None, worker.words
        try:
            return httpx.get(f"{self.url}/v2/health/live").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def url(self) -> str:
        """Where the gateway listens."""
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        """A client with the test's key."""
        return httpx.Client(base_url=self.url, headers=HEADERS, timeout=60)

    def records(self) -> list[Record]:
        """Everything in the log, in the order of its time."""
        found = LogReader(self.home.log).read({}, limit=10_000_000).records
        return sorted((record for record, _ in found), key=lambda record: record.id)

    def record_of(self, response: httpx.Response) -> Record:
        """The record of the request that had this answer."""
        wanted = response.headers["x-lockgate-request-id"]
        (found,) = [record for record in self.records() if record.id == wanted]
        return found

    wait_for = staticmethod(wait_for)
    logistic = staticmethod(logistic)

    @staticmethod
    def infer(*rows: list[float], **parameters: object) -> dict[str, object]:
        """An infer request in JSON, one tensor a column."""
        columns = list(zip(*rows, strict=True))
        body: dict[str, object] = {
            "inputs": [
                {"name": name, "shape": [len(rows)], "datatype": "FP32", "data": list(column)}
                for name, column in zip("abc", columns, strict=True)
            ]
        }
        if parameters:
            body["parameters"] = parameters
        return body

    @staticmethod
    def outputs(response: httpx.Response) -> dict[str, list[float]]:
        """The outputs of an infer answer by name."""
        assert response.status_code == 200, response.text
        return {output["name"]: output["data"] for output in json.loads(response.content)["outputs"]}

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        self.plan.close()
        self.access.close()


@pytest.fixture(scope="session")
def world_type() -> type[World]:
    """For worlds with settings of their own."""
    return World


@pytest.fixture
def world(home: Home, blobs: Blobs) -> Iterator[World]:
    """An empty world; its workers are killed at the end."""
    made = World(home, blobs)
    yield made
    made.close()


@pytest.fixture
def served(world: World) -> World:
    """A world in which `churn` is live and one worker answers."""
    world.route(world.package())
    world.worker()
    return world


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The same, once for all tests of a module that change nothing."""
    home = Home(tmp_path_factory.mktemp("shared") / "home").prepare()
    made = World(home, Blobs(str(home.blobs)))
    made.route(made.package())
    made.worker()
    yield made
    made.close()
