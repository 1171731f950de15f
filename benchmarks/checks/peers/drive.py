"""One peer at work in its own environment: `python drive.py PEER WHAT ARGUMENTS`; its last line is JSON.

    time BEFORE AFTER             processor and wall time of the drift of two Parquet files, reading them among it
    alarms SECONDS QUESTION ...   columns named rightly and wrongly in tables of `planted.pair`, as many runs as fit in the time
    nasty FOLDER SECONDS          what is named in each pair of tables of a folder, or how it breaks
    slices TURNED RUNS SECONDS    columns of the weak slices of models on `planted.sliced`
    suite FOLDER                  everything that it has on a model and two tables

A peer is a module beside this file: `named(before, after)` gives the columns that drifted by its own defaults; `work`, where
there is one, only computes; `slices` and `suite` where it has them.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path

import pandas as pd

sys.path.insert(1, str(Path(__file__).parents[1]))
import planted


def took(work):
    """Seconds of processor (its processes among them) and of the clock."""
    wall, began = time.monotonic(), os.times()
    work()
    ended = os.times()
    spent = sum(getattr(ended, part) - getattr(began, part)
                for part in ("user", "system", "children_user", "children_system"))  # fmt: skip
    return {
        "cpu_s": spent, "wall_s": time.monotonic() - wall,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }  # fmt: skip


def do_time(peer, before, after):
    """Both files are read anew."""
    work = getattr(peer, "work", None) or peer.named
    small = pd.read_parquet(before).head(500)  # what is imported late is imported now
    with contextlib.suppress(Exception):
        work(small, small.copy())
    return took(lambda: work(pd.read_parquet(before), pd.read_parquet(after)))


def do_alarms(peer, seconds, *questions):
    """[right, wrong] of each run of each question; a question is BY:ROWS:RUNS."""
    found = {}
    for question in questions:
        by, rows, runs = question.split(":")
        until, found[question] = time.monotonic() + float(seconds), []
        for seed in range(int(runs)):
            if found[question] and time.monotonic() > until:
                break
            pair = planted.pair(seed, float(by), int(rows))
            tables = (pd.DataFrame(each, columns=planted.names()) for each in pair)
            found[question].append(planted.right_and_wrong(list(peer.named(*tables))))
    return found


def do_nasty(peer, folder, seconds):
    """What is named of each pair, by file name."""
    until, found = time.monotonic() + float(seconds), {}
    for before in sorted(Path(folder).glob("*.before.parquet"), key=lambda path: path.name.split(".")[1]):
        if (
            time.monotonic() > until and before.name.split(".")[1] != "00"
        ):  # each fault once, however long it takes
            break
        tables = [
            pd.read_parquet(path) for path in (before, Path(str(before).replace(".before.", ".after.")))
        ]
        name = before.name.removesuffix(".before.parquet")
        try:
            found[name] = {"named": sorted(set(map(str, peer.named(*tables))))}
        except Exception as error:  # noqa: BLE001  whatever a peer raises is its answer
            found[name] = {"crashed": f"{type(error).__name__}: {error}"[:120]}
    return {"faults": found}


def do_slices(peer, turned, runs, seconds):
    """Columns of each weak slice that is named, the first first, for each run."""
    until, found, first = time.monotonic() + float(seconds), [], 0.0
    for seed in range(int(runs)):
        if found and time.monotonic() + first > until:
            break
        began = time.monotonic()
        found.append([sorted(each) for each in peer.slices(*planted.sliced(seed, float(turned)))])
        first = first or time.monotonic() - began
    return {"runs": found, "first_s": first}


def do_suite(peer, folder):
    """The peer trains a model of its own, of the same kind: files of another scikit-learn do not load there."""
    work = peer.suite(Path(folder))
    return took(work)


def main():
    """Do it; whatever the peer prints goes nowhere."""
    warnings.simplefilter("ignore")
    name, what, *argv = sys.argv[1:]
    out = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()):
        value = globals()[f"do_{what}"](importlib.import_module(name), *argv)
    print(json.dumps(value), file=out)


if __name__ == "__main__":
    main()
