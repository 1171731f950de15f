"""By hand: two samples of Kolmogorov and Smirnov for numbers, chi-square for words, a test a column, Bonferroni."""

import numpy as np
import pandas as pd
from scipy import stats


def named(before, after):
    """Columns whose p is below 0.05 over their number."""
    found = []
    for name in before.columns:
        if before[name].dtype == object:
            both = pd.concat([each[name].value_counts() for each in (before, after)], axis=1).fillna(0)
            p = stats.chi2_contingency(both.to_numpy().T).pvalue
        else:
            p = stats.ks_2samp(np.asarray(before[name]), np.asarray(after[name]), method="asymp").pvalue
        if p < 0.05 / len(before.columns):
            found.append(name)
    return found
