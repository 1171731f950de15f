"""whylogs: profiles of both tables, and its drift scores with its own thresholds."""

import whylogs
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores


def named(before, after):
    """Columns whose category is DRIFT."""
    views = [whylogs.log(frame).view() for frame in (before, after)]
    scores = calculate_drift_scores(target_view=views[1], reference_view=views[0], with_thresholds=True)
    return [name for name, said in scores.items() if said and said["drift_category"] == "DRIFT"]
