"""Whether two versions fit into memory: by what is measured or declared, host by host, in words before the start."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config import ModelConfig
from lockgate.membership import Loaded, LoadState, Member, report
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Parity, Task
from lockgate.registry.signature import Signature
from lockgate.registry.store import Version
from lockgate.release.fit import Ground, fit_of, ground_of
from lockgate.release.phases import Phase
from lockgate.release.start import preview, start
from lockgate.traffic import Arm, Role

from .world import QUICK, World

LIVE = Arm(version=1, digest="sha256:a", role=Role.LIVE)
MANIFEST = Manifest(
    framework=Framework.SKLEARN, task=Task.CLASSIFICATION, python="3.11", model_path="model/model.pkl",
    signature=Signature(inputs=(), outputs=()), answer=Answer(prediction="y"), compiled=Compiled(reason="not tried"),
)  # fmt: skip
NEW = Version(
    model="churn",
    number=2,
    digest="sha256:b",
    author="ann",
    created_us=1,
    manifest=MANIFEST,
    notes="",
    tags={},
)
COMPILED = replace(
    NEW,
    manifest=msgspec.structs.replace(
        MANIFEST,
        compiled=Compiled(
            path="compiled/model.onnx", parity=Parity(rows=1, largest_difference=0.0, flips=0, tolerance=0.0)
        ),
    ),
)


def worker(name: str, **packages_mb: float) -> Member:
    """A worker that has packages ready, each with the memory it took."""
    ready = {
        f"sha256:{digest}": Loaded(state=LoadState.READY, memory_mb=mb, load_ms=4_200)
        for digest, mb in packages_mb.items()
    }
    return Member(worker=name, pid=1, host="h", port=1, started_us=0, beat_us=0, epoch=1, packages=ready)


def ground(free_mb: float, *workers: Member, far_mb: float | None = None) -> Ground:
    """What there is: memory here and, where named, on the host `edge`."""
    far = (("edge", far_mb),) if far_mb is not None else ()
    return Ground(workers, (("", free_mb), *far))


def test_two_versions_that_do_not_fit_are_told_with_what_a_rollback_then_costs():
    """Two workers and the shadow scorer, 400 MB each as live takes, 1,000 MB free: short, and loading live takes 4.2 seconds."""
    there = [worker(f"gateway-{n}", a=400.0) for n in (0, 1)]
    short = fit_of(ground(1_000, *there), NEW, LIVE, ModelConfig(), shadow=True)
    assert short is not None
    assert not short.fits
    assert "two versions do not fit" in short.words
    assert "as much as the live version takes" in short.words
    assert "3 copies of it here need 1,200 MB where 1,000 MB are free" in short.words
    assert "4.2 seconds" in short.words
    fits = fit_of(ground(1_000, *there), NEW, LIVE, ModelConfig(), shadow=False)
    assert fits is not None
    assert fits.fits
    assert "it fits beside what runs now" in fits.words


def test_what_is_measured_wins_over_what_is_declared_and_that_over_what_live_takes():
    """Declared memory is that of each process, and says nothing of a compiled version, which has none."""
    live, model = worker("gateway-0", a=400.0), ModelConfig(memory_mb=1_000, replicas=2)
    found = {
        "measured": fit_of(
            ground(9_999, live, worker("gateway-1", a=400.0, b=90.0)), NEW, LIVE, model, shadow=True
        ),
        "2,097 MB a copy (declared": fit_of(ground(9_999, live), NEW, LIVE, model, shadow=True),
        "400 MB a copy (as much": fit_of(ground(9_999, live), COMPILED, LIVE, model, shadow=True),
    }
    for words, fit in found.items():
        assert fit is not None
        assert words in fit.words
    assert "2 copies" in found["measured"].words  # one worker has it already


def test_each_host_is_looked_at_by_itself():
    """Here it fits, on the other host it does not: that one is named."""
    there = [worker("gateway-0", a=100.0), worker("edge.gateway-0", a=100.0)]
    fit = fit_of(ground(500, *there, far_mb=50), NEW, LIVE, ModelConfig(), shadow=True)
    assert fit is not None
    assert not fit.fits
    assert "1 copy of it on edge need 100 MB where 50 MB are free" in fit.words
    assert " here " not in fit.words


@pytest.mark.parametrize("there", [(), (worker("gateway-0"),)])
def test_nothing_known_says_nothing(there):
    """No worker, or none that measured anything."""
    assert fit_of(ground(10, *there), NEW, LIVE, ModelConfig(), shadow=True) is None


@given(st.floats(1, 1e5), st.floats(0, 1e6), st.integers(1, 5), st.booleans())
def test_more_memory_never_makes_it_fit_less(need, free, workers, shadow):
    """What fits fits into more, and one worker less never needs more."""
    there = [worker(f"gateway-{n}", a=need) for n in range(workers)]
    one = fit_of(ground(free, *there), NEW, LIVE, ModelConfig(), shadow=shadow)
    more = fit_of(ground(free * 2, *there), NEW, LIVE, ModelConfig(), shadow=shadow)
    fewer = fit_of(ground(free, *there[1:] or there), NEW, LIVE, ModelConfig(), shadow=shadow)
    assert one.fits <= more.fits
    assert one.fits <= fewer.fits


def test_the_plan_of_a_release_says_it_before_it_starts(sqlite, home, clock):
    """A version that declares more than any machine has: in the preview, on the release, for programs as `fits`."""
    world = World(sqlite, home, clock, settings=ModelConfig(release=QUICK, memory_mb=10**9))
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    with world.db.read() as tx:
        plan = preview(tx, "churn/2", ground=ground_of(home.members, clock.now_us()))
    made = start(world.desk, world.ann, "churn/2")
    for found in (plan, made.plan):
        assert not found.fits
        assert any(said.startswith("Memory: two versions do not fit") for said in found.sentences)
    world.go(controller, Phase.CANARY)  # it is said, not forbidden
    report(home.members, worker("w0", a=1.0))
