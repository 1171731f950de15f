"""Runs in the environment that has Ray: a long history counted here and on a real cluster, in homes of their own.

Prints one line of JSON: rows here and there, whether every hour's profile is the same, and how many orders went out.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from on_cluster import cluster
from tests.monitor.churn import MANIFEST, NOON_US, columns, record, reference

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import migrate, open_database
from lockgate.monitor import reading
from lockgate.monitor.counting import Counter, Known
from lockgate.monitor.elsewhere import RayProcesses
from lockgate.monitor.profiles import profile_between, spans_of
from lockgate.monitor.reading import Log, ModelLog
from lockgate.predictions.archive import archive
from lockgate.predictions.keyring import Keyring
from lockgate.predictions.log import SegmentWriter


class Counting(RayProcesses):
    """Counts how many orders went out."""

    orders = 0

    def begin(self, order):
        """See `Elsewhere`."""
        self.orders += 1
        return super().begin(order)


def counted(root, elsewhere):
    """Every hour's profile, and why pieces were counted here."""
    home = Home(root).prepare()
    db, blobs = open_database(f"sqlite:///{home.database}"), Blobs(str(home.blobs))
    migrate(db)
    draw = np.random.default_rng(0)
    with SegmentWriter(home.log, "gateway-0") as log:
        for name in range(0, 900, 17):
            log.append([record(f"{name:06d}", NOON_US + name * 60_000_000, columns(draw, 3))])
    archive(home.log, blobs, db)
    known = Known(MANIFEST, reference())
    one = Counter(db, ModelLog(Log(home, blobs), "churn"), Keyring(home, db), "churn", lambda _v: known,
                  elsewhere=elsewhere, least=1)  # fmt: skip
    said, more = "", True
    while more:
        more = one.step(NOON_US, ahead=True).more
        said = said if more else one.settle(NOON_US)
    with db.read() as tx:
        hours = [span.start_us for span in spans_of(tx, "churn", 1)]
        found = [(at_us, profile_between(tx, "churn", 1, at_us, at_us + 1)) for at_us in hours]
    db.close()
    return found, said


if __name__ == "__main__":
    reading.PIECE_ROWS = 20
    with tempfile.TemporaryDirectory() as folder, cluster() as (_, address, _):
        far = Counting(address)
        here, _ = counted(Path(folder) / "here", None)
        there, said = counted(Path(folder) / "there", far)
    rows = [sum(profile.rows for _, profile in each) for each in (here, there)]
    print(json.dumps({"rows": rows, "same": here == there, "orders": far.orders, "said": said}))
