"""One gateway worker: one process, one event loop, one listening socket that shares the port with its siblings.

    python -m lockgate.gateway.worker --home .lockgate --name gateway-0

It loads what the plan names, then listens. On SIGTERM or SIGINT it says that it is not ready, serves on for a moment so
that callers and balancers notice, closes its socket, finishes what it has begun and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import uvloop

from lockgate.access import AccessShelf, parse_rate
from lockgate.blobs import Blobs
from lockgate.clock import SystemClock
from lockgate.config import Home, ServerConfig, home_from, load_server_config
from lockgate.config_gateway import GatewayConfig
from lockgate.errors import LockgateError, exit_status
from lockgate.gateway.accesslog import AccessLog
from lockgate.gateway.app import App, Parts
from lockgate.gateway.batcher import Batcher
from lockgate.gateway.breaker import Breaker
from lockgate.gateway.door import Door
from lockgate.gateway.engine import Engine, Prepared, prepare
from lockgate.gateway.grpc.server import GrpcServer
from lockgate.gateway.grpc.service import Service
from lockgate.gateway.ids import id_maker
from lockgate.gateway.limits import KeyLimits, Words
from lockgate.gateway.member import Heart, Identity
from lockgate.gateway.metrics import Metrics
from lockgate.gateway.otlp import Exporter
from lockgate.gateway.pen import open_log, personal_of, protector_of
from lockgate.gateway.port import claim_port
from lockgate.gateway.predict import Predictor
from lockgate.gateway.recorder import Recorder
from lockgate.gateway.router import Router
from lockgate.gateway.serving import Listener
from lockgate.gateway.settle import Settler
from lockgate.gateway.trace import Tracing
from lockgate.gateway.watch import Watch
from lockgate.inference.executor import Executor
from lockgate.inference.open import open_model
from lockgate.inference.turn import Where
from lockgate.membership import CanaryLease, follows
from lockgate.registry.package import blob_name
from lockgate.traffic import Arm, PlanShelf

DRAIN_PAUSE_S = 0.5  # between "not ready" and the end of listening
LOADING = "loading.lock"  # in the home's folder `run`: held by who loads a version that is not live
FIRST_LOAD_S = 30.0  # how long a starting worker waits for the plan's packages before it listens anyway
_log = logging.getLogger("lockgate.gateway")


@dataclass(frozen=True)
class Setup:
    """What a worker is started with."""

    home: Home
    config: ServerConfig
    name: str
    drain_pause_s: float = DRAIN_PAUSE_S

    @property
    def gateway(self) -> GatewayConfig:
        """The gateway's own settings."""
        return self.config.gateway


def worker_argv(home: Path, name: str, *, host: str, port: int) -> tuple[str, ...]:
    """The command line of one worker under a supervisor that holds the claim on the port."""
    return (
        sys.executable,
        "-m",
        "lockgate.gateway.worker",
        "--home",
        str(home),
        "--name",
        name,
        "--host",
        host,
        "--port",
        str(port),
        "--port-claimed",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one worker; the exit status."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    claims = ExitStack()
    try:
        home = home_from(args.home).prepare()
        config = _configured(load_server_config(home), args)
        if not args.port_claimed:
            claims.enter_context(claim_port(config.gateway.host, config.gateway.port, "--gateway-port"))
            if config.gateway.grpc_port is not None:
                claims.enter_context(
                    claim_port(config.gateway.host, config.gateway.grpc_port, "gateway.grpc_port")
                )
        uvloop.run(_run(Setup(home, config, args.name, args.drain_pause_s)))
    except LockgateError as error:
        _log.error("%s", error.sentence())
        return exit_status(error)
    finally:
        claims.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lockgate.gateway.worker", description="One worker of the gateway.")
    parser.add_argument("--home", help="the home folder (default: LOCKGATE_HOME, else ./.lockgate)")
    parser.add_argument("--name", default="gateway-0", help="this worker's name, unlike any other's")
    parser.add_argument("--host", help="the address to listen on (default: config.yaml)")
    parser.add_argument(
        "--port", "--gateway-port", type=int, dest="port", help="the port (default: config.yaml)"
    )
    parser.add_argument(
        "--port-claimed", action="store_true", help="a supervisor holds the claim on the port"
    )
    parser.add_argument(
        "--drain-pause-s", type=float, default=DRAIN_PAUSE_S, help="from not ready to not listening"
    )
    return parser


def _configured(config: ServerConfig, args: argparse.Namespace) -> ServerConfig:
    changes = {name: value for name in ("host", "port") if (value := getattr(args, name)) is not None}
    return msgspec.structs.replace(config, gateway=msgspec.structs.replace(config.gateway, **changes))


async def _run(setup: Setup) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app, heart, router, recorder, watch, grpc = _build(setup)
    heart.app = app
    listener = Listener(app, setup.gateway)
    beating = loop.create_task(heart.beat())
    try:
        await _first_load(router, stop)
        if not stop.is_set():
            if grpc is not None:
                _log.info("%s answers gRPC on port %d", setup.name, await grpc.start())
            await _serve(setup, app, heart, (listener, grpc), stop)
    finally:
        beating.cancel()
        router.close()
        recorder.close()
        watch.close()
        heart.stop()


def _build(setup: Setup) -> tuple[App, Heart, Router, Recorder, Watch, GrpcServer | None]:
    """Every part of the worker, joined. Runs inside the event loop."""
    clock, home, config = SystemClock(), setup.home, setup.gateway
    make_id, metrics, breaker = id_maker(), Metrics(setup.name), Breaker(clock)
    protector = protector_of(home)
    recorder = Recorder(open_log(home, setup.name, config, clock, protector), clock, make_id)
    settler = Settler(recorder, breaker, metrics, config.log)
    router = _router(setup, breaker, settler)
    settler.router = router
    protector.look = lambda model: personal_of(router.plan, model)
    identity = Identity(setup.name, config.port, clock.now_us())
    heart = Heart(
        identity,
        home.members,
        home.run,
        clock=clock,
        router=router,
        breaker=breaker,
        recorder=recorder,
    )
    watch = _watch(setup)
    parts = Parts(
        config,
        setup.name,
        version("lockgate"),
        home.run,
        Door(AccessShelf(home.access), _limits(setup)),
        router,
        Predictor(router, settler, clock, make_id),
        recorder,
        metrics,
        breaker,
        watch,
    )
    app = App(parts)
    grpc = None if config.grpc_port is None else GrpcServer(Service(parts, app, config), config)
    return app, heart, router, recorder, watch, grpc


def _limits(setup: Setup) -> KeyLimits:
    rate = setup.gateway.key_rate
    return KeyLimits(Words(setup.home.run), parse_rate(rate) if rate else None, setup.gateway.key_burst)


def _watch(setup: Setup) -> Watch:
    """What is noted beside the records, as far as the settings ask for it."""
    config, exporter = setup.gateway, None
    if config.traces is not None:
        told = {"service.name": "lockgate-gateway", "service.instance.id": setup.name}
        exporter = Exporter(config.traces, {**told, "service.version": version("lockgate")})
    log = AccessLog(setup.home.run / f"access-{setup.name}.jsonl") if config.access_log else None
    return Watch(Tracing(export=exporter is not None, share=config.trace_share), log, exporter)


def _router(setup: Setup, breaker: Breaker, settler: Settler) -> Router:
    config, blobs = setup.gateway, Blobs(setup.config.blobs or str(setup.home.blobs))

    def load(arm: Arm) -> Prepared:
        def turn() -> Path | None:
            return None if router.plan.is_live(arm.digest) else setup.home.run / LOADING

        def opened(folder: Path, wanted: Arm) -> Executor:
            return _opened(setup, folder, wanted, turn)

        return prepare(arm, blobs, setup.home.cache, opened)

    def engine(prepared: Prepared) -> Engine:
        batcher = Batcher(
            prepared.executor,
            prepared.decoder.layout,
            prepared.cost,
            settler.settle,
            settler.slow,
            limit=config.queue,
            max_rows=config.max_batch_rows,
        )
        return Engine(prepared, batcher)

    def place(arm: Arm) -> Path:
        return blobs.place(blob_name(arm.digest), setup.home.cache)

    shelf = PlanShelf(setup.home.plan)
    if not follows(setup.home.members):
        router = Router(shelf, breaker, load, engine, place=place)
    else:
        router = Router(
            shelf, breaker, load, engine, place=place, lease=CanaryLease(setup.home.members),
            is_here=lambda arm: blobs.exists(blob_name(arm.digest)),
        )  # fmt: skip
    return router


def _opened(setup: Setup, folder: Path, arm: Arm, turn: Where) -> Executor:
    return open_model(
        folder,
        arm.digest,
        home=setup.home,
        environment=setup.config.environment.sized(arm.replicas, arm.memory_mb),
        python=Path(arm.python) if arm.python else None,
        turn=turn,
    )


async def _first_load(router: Router, stop: asyncio.Event) -> None:
    """Load what the plan names before the first request can come."""
    router.look()
    deadline = asyncio.get_running_loop().time() + FIRST_LOAD_S
    while router.loading and not stop.is_set() and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)


async def _serve(
    setup: Setup, app: App, heart: Heart, listeners: tuple[Listener, GrpcServer | None], stop: asyncio.Event
) -> None:
    config = setup.gateway
    serving = asyncio.get_running_loop().create_task(listeners[0].serve())
    stopping = asyncio.get_running_loop().create_task(stop.wait())
    _log.info("%s listens on %s:%d (process %d)", setup.name, config.host, config.port, os.getpid())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        app.draining = True
        heart.tell()
        _log.info("%s drains", setup.name)
        await asyncio.sleep(setup.drain_pause_s)
        await asyncio.gather(*(listener.stop() for listener in listeners if listener is not None))
    await serving  # until the last answer is out


if __name__ == "__main__":
    sys.exit(main())
