"""Whether a new version fits into memory beside the live one, on every gateway host; said before a release starts.

A version that some worker has loaded is measured. Else what the model declares stands in (`memory_mb` of each process of a
version that is not compiled), else what the live version takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lockgate.config import ModelConfig
from lockgate.membership import Loaded, LoadState, Member, members
from lockgate.registry.store import Version
from lockgate.release.words import span
from lockgate.resources.kept import far_hosts
from lockgate.resources.reading import host_memory
from lockgate.traffic import Arm

MB = 1e6
HERE = ""  # the control plane's own host, where the shadow scorer runs, too


@dataclass(frozen=True)
class Ground:
    """Who serves, and how much memory programs can still have on each host, MB; hosts that nothing is known of are left out."""

    members: tuple[Member, ...] = ()
    free_mb: tuple[tuple[str, float], ...] = ()

    def loaded(self, digest: str) -> list[Loaded]:
        """A package in every worker that has it ready."""
        found = [member.packages.get(digest) for member in self.members]
        return [loaded for loaded in found if loaded is not None and loaded.state is LoadState.READY]


NOWHERE = Ground()  # nothing is known of any host


@dataclass(frozen=True)
class Fit:
    """Whether it fits, and the sentence that says so."""

    fits: bool
    words: str


def ground_of(folder: Path, now_us: int) -> Ground:
    """What there is now. `folder`: that of the members; what hosts say of their memory lies beside it, in `run`."""
    used, total = host_memory()
    far = far_hosts(folder.parent / "run", now_us)
    known = {
        HERE: (total - used) / MB,
        **{use.host: (use.memory_total_bytes - use.memory_bytes) / MB for use in far},
    }
    return Ground(tuple(members(folder, now_us)), tuple(sorted(known.items())))


def fit_of(
    ground: Ground, wanted: Version, live: Arm | None, model: ModelConfig, *, shadow: bool
) -> Fit | None:
    """Whether the version fits beside what runs now. `shadow`: one more copy is loaded by the shadow scorer.

    None where nothing is known to go by: no worker runs, or nothing says how much memory it takes.
    """
    need = _need_mb(ground, wanted, live, model)
    if need is None or not ground.members:
        return None
    each_mb, basis = need
    told = [
        _host(host, free_mb, copies, each_mb)
        for host, free_mb in ground.free_mb
        if (copies := _copies(ground, host, wanted.digest, shadow=shadow))
    ]
    short = [words for fits, words in told if not fits]
    about = f"{wanted.name} is taken to need {each_mb:,.0f} MB a copy ({basis})"
    if not short:
        return (
            Fit(
                True,
                f"Memory: {about}; it fits beside what runs now ({'; '.join(words for _, words in told)}).",
            )
            if told
            else None
        )
    back = _way_back(ground, live)
    return Fit(False, f"Memory: two versions do not fit: {about}, and {'; '.join(short)}.{back}")


def _need_mb(
    ground: Ground, wanted: Version, live: Arm | None, model: ModelConfig
) -> tuple[float, str] | None:
    """Memory of one copy of a version, and whose word that is."""
    compiled = wanted.manifest.compiled
    measured = [loaded.memory_mb for loaded in ground.loaded(wanted.digest) if loaded.memory_mb > 0]
    if measured:
        return max(measured), "measured"
    if model.memory_mb is not None and not (compiled.path and compiled.parity is not None):
        processes = model.replicas or 1
        return model.memory_mb * processes * 2**20 / MB, "declared: memory_mb"
    usual = (
        [loaded.memory_mb for loaded in ground.loaded(live.digest) if loaded.memory_mb > 0] if live else []
    )
    return (max(usual), "as much as the live version takes") if usual else None


def _copies(ground: Ground, host: str, digest: str, *, shadow: bool) -> int:
    """How many more copies are loaded on a host."""
    workers = [member for member in ground.members if member.worker.rpartition(".")[0] == host]
    without = [member for member in workers if digest not in member.packages]
    return len(without) + (1 if shadow and host == HERE else 0)


def _host(host: str, free_mb: float, copies: int, each_mb: float) -> tuple[bool, str]:
    needed = copies * each_mb
    where = "here" if host == HERE else f"on {host}"
    times = f"{copies} cop{'y' if copies == 1 else 'ies'} of it"
    return needed <= free_mb, f"{times} {where} need {needed:,.0f} MB where {free_mb:,.0f} MB are free"


def _way_back(ground: Ground, live: Arm | None) -> str:
    """What a rollback costs where the previous version cannot stay loaded."""
    taken = [loaded.load_ms for loaded in ground.loaded(live.digest)] if live else []
    if not taken:
        return ""
    return (
        f" If the live version has to make room, a rollback takes as long as loading it anew: {span(max(taken) / 1000)} when it "
        "was last loaded."
    )
