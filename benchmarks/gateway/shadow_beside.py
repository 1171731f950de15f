"""The shadow scorer beside the gateway: the canary scores what live answered, at low priority on the load's core.

python -m benchmarks.gateway.shadow_beside HOME
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from benchmarks.gateway.homes import MODEL, canary_digest

from lockgate.blobs import Blobs
from lockgate.config import EnvironmentConfig, Home
from lockgate.db import migrate, open_database
from lockgate.inference.executor import Executor
from lockgate.inference.open import open_model
from lockgate.registry.package import blob_name
from lockgate.release import shadow
from lockgate.release.shadow_score import ShadowJob

NICE = 10


def main() -> int:
    """Score until told to stop."""
    os.nice(NICE)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    home = Home(Path(sys.argv[1]))
    blobs, database = Blobs(str(home.blobs)), open_database(f"sqlite:///{home.database}")
    migrate(database)
    job = ShadowJob(model=MODEL, version=2, digest=canary_digest(home), release=1)

    def opened(wanted: ShadowJob) -> Executor:
        folder = blobs.fetch_tree(blob_name(wanted.digest), home.cache)
        return open_model(folder, wanted.digest, home=home, environment=EnvironmentConfig())

    scorer = shadow.Scorer(home, blobs, database, opened)
    shadow.run(scorer, lambda: [job], stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
