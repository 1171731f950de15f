"""alibi-detect's TabularDrift: Kolmogorov and Smirnov or chi-square a column, corrected by Bonferroni."""

import numpy as np
from alibi_detect.cd import TabularDrift


def named(before, after):
    """Columns below the corrected threshold. It takes one matrix, so text is given as codes, as its guide does."""
    words = [name for name in before.columns if before[name].dtype == object]
    known = {
        name: {value: code for code, value in enumerate(before[name].dropna().unique())} for name in words
    }
    codes = [_matrix(frame, known) for frame in (before, after)]
    categories = {list(before.columns).index(name): None for name in words} or None
    said = TabularDrift(codes[0], p_val=0.05, categories_per_feature=categories).predict(codes[1])["data"]
    return [name for name, p in zip(before.columns, said["p_val"], strict=True) if p < said["threshold"]]


def _matrix(frame, known):
    columns = [
        frame[name].map(known[name]).fillna(len(known[name])) if name in known else frame[name]
        for name in frame.columns
    ]
    return np.column_stack([np.asarray(column, dtype=np.float32) for column in columns])
