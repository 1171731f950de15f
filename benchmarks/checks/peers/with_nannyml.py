"""nannyml's univariate drift, its defaults."""

import nannyml


def named(before, after):
    """Columns of which any chunk of the later rows (ten by default) raises an alert."""
    calculator = nannyml.UnivariateDriftCalculator(column_names=list(before.columns))
    found = calculator.fit(before).calculate(after).filter(period="analysis").to_df()
    return [name for name in before.columns if found[name].xs("alert", axis=1, level=-1).to_numpy().any()]


def work(before, after):
    """The later rows as one chunk: the same work as the others'."""
    calculator = nannyml.UnivariateDriftCalculator(column_names=list(before.columns), chunk_size=len(after))
    calculator.fit(before).calculate(after)
