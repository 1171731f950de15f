"""Harmless releases: how many are rolled back, by which rule, whatever else goes on."""

from __future__ import annotations

import math

import numpy as np
from benchmarks.gateway.figures import Figure
from benchmarks.release.guarded import (
    every_error,
    guarded,
    plan_of,
    split_fires,
    threshold_rule,
    z_test,
)
from benchmarks.release.scenarios import STAGES, Scenario, simulate

from lockgate.release.guards import GuardName
from lockgate.stats.intervals import wilson

SEED, RELEASES = 20261122, 1_000
SCENARIOS = {
    "quiet: 1 % errors in both": Scenario(),
    "ten requests of one caller fail together": Scenario(burst=10, error_share=0.01),
    "an incident, ten times the errors in both, while w grows": Scenario(incident=(0.35, 0.65, 10.0)),
}


def figures() -> list[Figure]:
    """Every scenario, every rule; the promise is about all six guards together."""
    plan = plan_of(STAGES, late=True)
    errors = next(guard for guard in plan.guards if guard.name is GuardName.ERRORS)
    found = []
    print(
        f"{RELEASES:,} harmless releases of {Scenario().requests:,} requests, {', '.join(f'{w:.0%}' for w in STAGES)}"
    )
    for name, scenario in SCENARIOS.items():
        rng = np.random.default_rng(SEED)
        fired: dict[str, int] = dict.fromkeys(
            ("six guards", *(guard.name for guard in plan.guards), "split (holds)", "threshold", "z test",
             "every error"), 0,
        )  # fmt: skip
        for _ in range(RELEASES):
            release = simulate(scenario, rng)
            at = guarded(release, plan, rng)
            fired["six guards"] += any(map(math.isfinite, at.values()))
            for guard, when in at.items():
                fired[guard] += math.isfinite(when)
            fired["split (holds)"] += math.isfinite(split_fires(release))
            fired["threshold"] += math.isfinite(threshold_rule(release))
            fired["z test"] += math.isfinite(z_test(release))
            fired["every error"] += math.isfinite(every_error(release, errors))
        print(f"  {name}")
        for rule, count in fired.items():
            share = wilson(count, RELEASES)
            print(f"    {rule:14} {share.value:6.1%}  ({share.low:.1%} to {share.high:.1%})", flush=True)
        found.append(
            Figure(f"harmless, rolled back: {name}", 100 * fired["six guards"] / RELEASES, 5.0, "%", at_least=False)
        )  # fmt: skip
    return found
