"""By hand: numbers over a hundred bins between quantiles, words by value; the largest gap of shares beyond 0.04."""

import duckdb
import numpy as np


def named(before, after):
    """Columns whose gap is larger than that of normals a tenth of a deviation apart."""
    link, found = duckdb.connect(), []
    link.register("before", before)
    link.register("after", after)
    for name in before.columns:
        if before[name].dtype == object:
            shares = [dict(link.execute(f'select "{name}", count(*) / {len(frame)} from {table} group by 1').fetchall())
                      for table, frame in (("before", before), ("after", after))]  # fmt: skip
            gap = (
                sum(abs(shares[0].get(key, 0) - shares[1].get(key, 0)) for key in {*shares[0], *shares[1]})
                / 2
            )
        else:
            places = ", ".join(f"{place / 100}" for place in range(1, 100))
            (edges,) = link.execute(f'select approx_quantile("{name}", [{places}]) from before').fetchone()
            gap = np.abs(
                np.diff([_below(link, table, name, edges) for table in ("before", "after")], axis=0)
            ).max()
        if gap > 0.04:
            found.append(name)
    return found


def _below(link, table, name, edges):
    (counts,) = link.execute(
        f'select histogram("{name}", {list(map(float, sorted(set(edges))))}) from {table}'
    ).fetchone()
    values = np.array(list(counts.values()), dtype=float)
    return np.cumsum(values) / values.sum()
