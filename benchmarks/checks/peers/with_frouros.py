"""frouros: its Kolmogorov-Smirnov test for numbers and its chi-square test for words, a test a column at 0.05."""

import numpy as np
from frouros.detectors.data_drift import ChiSquareTest, KSTest


def named(before, after):
    """Columns below 0.05; frouros corrects for nothing, and is asked about the columns that both tables have."""
    found = []
    for name in before.columns.intersection(after.columns):
        detector = ChiSquareTest() if before[name].dtype == object else KSTest()
        detector.fit(X=np.asarray(before[name]))
        result, _ = detector.compare(X=np.asarray(after[name]))
        if result.p_value < 0.05:
            found.append(name)
    return found
