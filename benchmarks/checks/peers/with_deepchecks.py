"""deepchecks: its check of drift by feature with its own condition, its weak segments, its full suite."""

import pandas as pd
from deepchecks.tabular import Dataset
from deepchecks.tabular.checks import FeatureDrift, WeakSegmentsPerformance
from deepchecks.tabular.suites import full_suite
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def named(before, after):
    """Columns beyond the check's own limit of the drift score (0.2)."""
    value = work(before, after).value
    return [
        name for name, said in value.items() if said["Drift score"] is not None and said["Drift score"] > 0.2
    ]


def work(before, after):
    """Every row (its default looks at a sample of 100,000)."""
    sets = [Dataset(frame, cat_features=_words(frame)) for frame in (before, after)]
    return FeatureDrift(n_samples=max(len(before), len(after))).run(*sets)


def slices(train, test):
    """The columns of the worst segment, where the check's own condition says that it is too weak."""
    sets, model = _fitted(train, test)
    check = WeakSegmentsPerformance().add_condition_segments_relative_performance_greater_than()
    found = check.run(sets[1], model)
    if all(each.is_pass for each in found.conditions_results):
        return []
    worst = found.value["weak_segments_list"].iloc[0]
    return [
        {
            str(worst[key])
            for key in ("Feature1", "Feature2")
            if worst[key] is not None and str(worst[key]) != "nan"
        }
        - {""}
    ]


def suite(folder):
    """Its full suite on a gradient boosting of its own."""
    tables = [pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "test")]
    inputs = [name for name in tables[0].columns if name != "y"]
    model = HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(
        tables[0][inputs], tables[0]["y"]
    )
    sets = [
        Dataset(frame, label="y", cat_features=[name for name in inputs if name[0] == "c"])
        for frame in tables
    ]
    return lambda: full_suite().run(*sets, model)


def _fitted(train, test):
    frames = [pd.DataFrame(columns) for columns in (train, test)]
    words, inputs = _words(frames[0]), [name for name in frames[0].columns if name != "y"]
    model = make_pipeline(
        make_column_transformer((OrdinalEncoder(), words), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=40, random_state=0),
    ).fit(frames[0][inputs], frames[0]["y"])
    return [Dataset(frame, label="y", cat_features=words) for frame in frames], model


def _words(frame):
    return [name for name in frame.columns if frame[name].dtype == object]
