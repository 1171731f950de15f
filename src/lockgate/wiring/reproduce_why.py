"""Why a version that was built again is another one: what was sealed, what is on record, and what it was built with now. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from lockgate.inference.environment_uv import normal
from lockgate.pipelines.run import Machine, Run

MOST_PINS = 5  # that one sentence names
LETTERS = 20  # of a digest
PLAIN = (str, int, float, bool)  # a table of settings may come back in another order
CHANCE = "code, data, parameters, environment and machine are the same, so it depends on chance, threads or time: seed it"


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What a version was built with now. `data`: role -> digest; `libraries`: distribution -> version, as installed there."""

    data: Mapping[str, str]
    python: str
    libraries: Mapping[str, str]
    machine: Machine


def altered(sealed: Mapping[str, str], run: Run) -> list[str]:
    """Where the run on record is not what the package was sealed with. `sealed`: the manifest's parameters."""
    made = run.made
    told = {"seed": str(made.seed), "pipeline": made.pipeline, "pipeline.code": made.code}
    told |= {f"pipeline.data.{role}": used.digest for role, used in made.data.items()}
    told |= {"pipeline.cut": made.cut.since if made.cut is not None else "nothing"}
    plain = {name: str(value) for name, value in made.parameters.items() if isinstance(value, PLAIN)}
    return [
        f"the package was sealed with {_named(name, run)} {_short(sealed[name])}, and the run on record says {_short(said)}"
        for name, said in {**plain, **told}.items()
        if sealed.get(name, said) != said
    ]


def reasons(sealed: Mapping[str, str], run: Run, now: Used) -> list[str]:
    """Everything known that explains another result; where nothing else does, the machine, else that it is left to chance."""
    found = [*altered(sealed, run), *_data(run, now), *_environment(run, now)]
    here, there = now.machine, run.machine
    if not found and _what(here) != _what(there):
        return [
            f"the machine differs ({there.processor}, {there.cores} cores then; {here.processor}, {here.cores} cores now)"
        ]
    return found or [CHANCE]


def _data(run: Run, now: Used) -> Iterator[str]:
    for role, used in run.made.data.items():
        digest = now.data.get(role, used.digest)
        if digest != used.digest:
            yield (
                f"the data '{role}' are others: {used.name}@{used.number} held {_short(used.digest)} and holds {_short(digest)}"
            )


def _environment(run: Run, now: Used) -> Iterator[str]:
    if now.python != run.made.python:
        yield f"Python was {run.made.python} and is {now.python}"
    wanted = {normal(name): version for name, _, version in (pin.partition("==") for pin in run.made.lock)}
    installed = {normal(name): (name, version) for name, version in now.libraries.items()}
    others = [
        f"{name} was {wanted[key]} and is {version}"
        for key, (name, version) in sorted(installed.items())
        if wanted.get(key, version) != version
    ]
    if others:
        more = f" and {len(others) - MOST_PINS} more" if len(others) > MOST_PINS else ""
        yield f"the environment differs from its lock ({', '.join(others[:MOST_PINS])}{more})"


def _what(machine: Machine) -> tuple[object, ...]:
    return machine.processor, machine.cores, machine.accelerators


def _named(name: str, run: Run) -> str:
    role = name.removeprefix("pipeline.data.")
    if role != name:
        return f"the data '{role}' ({run.made.data[role].name}@{run.made.data[role].number})"
    return _NAMES.get(name, f"the parameter {name}")


_NAMES = {
    "seed": "the seed", "pipeline": "the pipeline", "pipeline.code": "the code", "pipeline.cut": "a test table from",
}  # fmt: skip


def _short(text: str) -> str:
    return f"{text[:LETTERS]}..." if text.startswith("sha256:") else text
