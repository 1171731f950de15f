"""The parts of the bench, a row of the table or some each: start the servers, load them in turn, say the figures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from benchmarks.gateway.catalogue import BARE, FASTAPI, MLFLOW, MLFLOW_SIGNED, PEERS
from benchmarks.gateway.environments import CannotBuild, peer_python
from benchmarks.gateway.figures import Figure, by_median, by_processor, fastest, ratio
from benchmarks.gateway.footprint import footprint
from benchmarks.gateway.load import NoLoad
from benchmarks.gateway.stage import Stage, asked_of, binary_rows, json_rows
from benchmarks.gateway.subjects import NoStart, Subject
from benchmarks.gateway.work import FOREST, LOGISTIC

from lockgate.gateway.port import free_port

LOCKGATE, LOGGED, NO_LOG = "lockgate", "lockgate, unread log", "lockgate, no log"
CONNECTIONS = (1, 16, 64)
LOG_PRICE = {1: 0.12, 16: 0.08, 64: 0.08}
PEER_ROUNDS = 3
FORMS_AT = 16  # connections at which other bodies are tried
BOTH, BOTH_CORES = frozenset({0, 1}), "0,1"


def compiled(stage: Stage, names: list[str]) -> list[Figure]:
    """One row, compiled: beside FastAPI and the bare server; then beside each other peer."""
    home, single = stage.home(LOGISTIC), json_rows(1)
    with ExitStack() as stack:
        lockgate = stack.enter_context(stage.gateway(LOCKGATE, home))
        stack.enter_context(stage.shadow(home))
        bare, fastapi = (
            stack.enter_context(stage.peer(one, stage.model(LOGISTIC))) for one in (BARE, FASTAPI)
        )
        pairs = [(lockgate, single), (bare, asked_of(BARE, 1)), (fastapi, asked_of(FASTAPI, 1))]
        for connections in CONNECTIONS:
            stage.rounds_of(pairs, connections)
        notes = _peers(stage, lockgate, [name for name in names if PEERS[name] not in (BARE, FASTAPI)])
    return _compiled_figures(stage, names, notes)


def _peers(stage: Stage, lockgate: Subject, names: list[str]) -> dict[str, str]:
    """Each peer beside lockgate, one after the other; why one could not be measured."""
    notes: dict[str, str] = {}
    for peer in [PEERS[name] for name in names]:
        beside = replace(lockgate, name=_beside(peer.name))
        try:
            with stage.peer(peer, stage.model(LOGISTIC)) as subject:
                forms = [
                    (replace(subject, name=f"{peer.name}, {form}"), asked_of(peer, 1, ask))
                    for form, ask in peer.forms
                ]
                for connections in CONNECTIONS:
                    pairs = [(beside, json_rows(1)), (subject, asked_of(peer, 1))]
                    pairs += forms if connections == FORMS_AT else []
                    stage.rounds_of(pairs, connections, rounds=PEER_ROUNDS)
        except (CannotBuild, NoStart, NoLoad) as error:
            notes[peer.name] = str(error)
            print(f"{peer.name}: not measured: {error}", flush=True)
    return notes


def _beside(peer: str) -> str:
    return f"{LOCKGATE} beside {peer}"


def _compiled_figures(stage: Stage, names: list[str], notes: dict[str, str]) -> list[Figure]:
    found, measure = stage.found, stage.measure
    figures = [
        Figure(
            "compiled, 1 row, 16 connections: FastAPI", ratio(found, FASTAPI.name, LOCKGATE, 16, measure), 7
        ),
        Figure(
            "compiled, 1 row, 64 connections: FastAPI", ratio(found, FASTAPI.name, LOCKGATE, 64, measure), 9
        ),
    ]
    if "mlflow" in names:
        value = ratio(found, MLFLOW.name, _beside(MLFLOW.name), 16, measure)
        note = notes.get(MLFLOW.name) or _other_forms(stage)
        figures.append(Figure("compiled, 1 row, 16 connections: MLflow", value, 80, note=note))
    nearest = fastest(found, _beside, LOCKGATE, measure)
    word, value = nearest if nearest else ("no peer", None)
    figures.append(Figure("compiled, 1 row, 16 connections: fastest peer", value, 3, note=f"({word})"))
    # waiting times say nothing on a machine that does other work; processor time is the nearest that does
    lone = ratio(found, LOCKGATE, BARE.name, 1, by_processor if measure is by_processor else by_median)
    figures.append(Figure("lone client, p50 over the bare server's", lone, 1.7, at_least=False))
    return figures


def _other_forms(stage: Stage) -> str:
    """How MLflow fares when it is asked otherwise: the same rows as a tensor, and a model that has a signature."""
    found, said = stage.found, []
    beside = {f"{MLFLOW.name}, {form}": (form, _beside(MLFLOW.name)) for form, _ in MLFLOW.forms}
    beside[MLFLOW_SIGNED.name] = ("signature", _beside(MLFLOW_SIGNED.name))
    for name, (form, own) in beside.items():
        value = ratio(found, name, own, FORMS_AT, stage.measure)
        if value is not None:
            said.append(f"{form}: {value:.1f} x")
    return f"(dataframe_split; {', '.join(said)})" if said else ""


def log(stage: Stage, _names: list[str]) -> list[Figure]:
    """The price of the log: beside a gateway that differs in nothing but writing none. Nobody reads either's log."""
    single = json_rows(1)
    with ExitStack() as stack:
        logged = stack.enter_context(stage.gateway(LOGGED, stage.home(LOGISTIC)))
        unlogged = stack.enter_context(stage.gateway(NO_LOG, stage.home(LOGISTIC), logged=False))
        for connections in CONNECTIONS:
            stage.rounds_of([(logged, single), (unlogged, single)], connections)
    figures = []
    for connections, goal in LOG_PRICE.items():
        dearer = ratio(stage.found, LOGGED, NO_LOG, connections, stage.measure)
        price = None if dearer is None else 1 - 1 / dearer
        name = f"price of the log in throughput, {connections} connections"
        figures.append(Figure(name, price, goal, unit="", at_least=False))
    return figures


def forest(stage: Stage, _names: list[str]) -> list[Figure]:
    """A hundred trees."""
    home, ours, theirs = stage.home(FOREST), "lockgate, forest", "FastAPI, forest"
    with stage.gateway(ours, home) as lockgate, stage.peer(FASTAPI, stage.model(FOREST)) as peer:
        pairs = [(lockgate, json_rows(1)), (replace(peer, name=theirs), asked_of(FASTAPI, 1))]
        stage.rounds_of(pairs, 16)
    value = ratio(stage.found, theirs, ours, 16, stage.measure)
    return [Figure("forest, 1 row, 16 connections: FastAPI", value, 45)]


def hundred(stage: Stage, _names: list[str]) -> list[Figure]:
    """A hundred rows a request, as JSON and as bytes."""
    ours, raw, theirs = "lockgate, 100 rows", "lockgate, 100 rows, binary", "FastAPI, 100 rows"
    home = stage.home(LOGISTIC)
    with stage.gateway(ours, home) as lockgate, stage.peer(FASTAPI, stage.model(LOGISTIC)) as peer:
        pairs = [(lockgate, json_rows(100)), (replace(lockgate, name=raw), binary_rows(100))]
        stage.rounds_of([*pairs, (replace(peer, name=theirs), asked_of(FASTAPI, 100))], 16)
    found, measure = stage.found, stage.measure
    return [
        Figure("100 rows JSON, 16 connections: FastAPI", ratio(found, theirs, ours, 16, measure), 5),
        Figure("100 rows, 16 connections: JSON over binary", ratio(found, ours, raw, 16, measure), 2),
    ]


def python(stage: Stage, _names: list[str]) -> list[Figure]:
    """A model that runs as Python, in its confined runner on the gateway's core."""
    ours, theirs = "lockgate, Python model", "FastAPI, Python model"
    home = stage.home(LOGISTIC, compiled=False, python=peer_python(FASTAPI))
    with stage.gateway(ours, home) as lockgate, stage.peer(FASTAPI, stage.model(LOGISTIC)) as peer:
        pairs = [(lockgate, json_rows(1)), (replace(peer, name=theirs), asked_of(FASTAPI, 1))]
        for connections in (16, 64):
            stage.rounds_of(pairs, connections)
    return [
        Figure(
            f"Python model in its runner, {connections} connections: FastAPI",
            ratio(stage.found, theirs, ours, connections, stage.measure),
            goal,
        )
        for connections, goal in ((16, 3.5), (64, 7.0))
    ]


def workers(stage: Stage, _names: list[str]) -> list[Figure]:
    """Two workers against one, the load on the same two cores."""
    one, two, connections = "one worker, both cores", "two workers, both cores", 64
    single, port = json_rows(1), free_port()
    home = stage.home(LOGISTIC)
    with ExitStack() as stack:
        alone = stack.enter_context(stage.gateway(one, stage.home(LOGISTIC), cores=BOTH))
        pair = [stack.enter_context(stage.gateway(two, home, port=port, cores=BOTH)) for _ in range(2)]
        both = replace(pair[0], more=(pair[1].pid,))
        stage.rounds_of([(alone, single), (both, single)], connections, cores=BOTH_CORES)
    found = stage.found
    rate = ratio(found, one, two, connections, lambda turn: 1e6 / turn.rate)
    cost = ratio(found, two, one, connections, by_processor)
    return [
        Figure("two workers' throughput over one's, 64 connections", rate, 1.3),
        Figure("two workers' processor time a request over one's", cost, 1.15, at_least=False),
    ]


PARTS: dict[str, Callable[[Stage, list[str]], list[Figure]]] = {
    "compiled": compiled,
    "log": log,
    "forest": forest,
    "hundred": hundred,
    "python": python,
    "workers": workers,
    "footprint": footprint,
}
