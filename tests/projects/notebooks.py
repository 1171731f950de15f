"""Notebooks as Jupyter saves them, written by the tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

# From a csv beside the notebook to a model, as people write it: magics, plots, a shell line, two models, printed figures.
CHURN = (
    "%matplotlib inline\nimport pandas as pd\nimport numpy as np\nfrom sklearn.model_selection import train_test_split\n"
    "from sklearn.linear_model import LogisticRegression\nfrom sklearn.tree import DecisionTreeClassifier\n"
    "from sklearn.metrics import accuracy_score, roc_auc_score, confusion_matrix",
    "!pip install seaborn",
    "## Load",
    ("df = pd.read_csv('customers.csv')\ndf.head()", None),
    ("df.shape", "(400, 4)"),
    "## Clean",
    (
        "# nobody is younger than a month\ndf = df[df['months'] > 0]\ndf['price'] = df['price'].fillna(0.0)\nlen(df)",
        "398",
    ),
    "df.hist(bins=30)",
    "def ratio(frame):\n    return frame['price'] / (1 + frame['calls'])",
    "## Split",
    "test_size = 0.25\ny = df['left']\nX = df[['months', 'price', 'calls']].assign(ratio=ratio(df))\n"
    "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=test_size, random_state=42)",
    "## Train",
    "tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X_train, y_train)",
    "strength = 1.0\nclf = LogisticRegression(C=strength, max_iter=500)\nclf.fit(X_train, y_train)",
    "pred = clf.predict(X_test)\nproba = clf.predict_proba(X_test)[:, 1]\nprint('accuracy', accuracy_score(y_test, pred))\n"
    "print(confusion_matrix(y_test, pred))\nprint(f'auc {roc_auc_score(y_test, proba):.3f}')",
)


def document(cells: Sequence[str | tuple[str, str | None]], language: str = "python") -> dict[str, object]:
    """The JSON of a notebook. A text that begins with `## ` is a heading; a pair is a cell and what its last line gave."""
    entries: list[dict[str, object]] = []
    count = 0
    for cell in cells:
        source, shown = cell if isinstance(cell, tuple) else (cell, None)
        if source.startswith("## "):
            entries.append(
                {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True)}
            )
            continue
        count += 1
        result = {
            "output_type": "execute_result",
            "data": {"text/plain": [shown]},
            "metadata": {},
            "execution_count": count,
        }
        entries.append({"cell_type": "code", "metadata": {}, "execution_count": count, "source": source.splitlines(keepends=True),
                        "outputs": [result] if shown else []})  # fmt: skip
    return {
        "cells": entries,
        "metadata": {"kernelspec": {"language": language}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def written(
    folder: Path, cells: Sequence[str | tuple[str, str | None]], name: str = "churn", language: str = "python"
) -> Path:
    """A notebook as a file."""
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps(document(cells, language)))
    return path


def customers(folder: Path) -> Path:
    """The table that the notebook CHURN reads: 400 rows, two of them impossible."""
    lines = ["months,price,calls,left"]
    for row in range(400):
        months, calls = (row * 7) % 60 + 1 if row > 1 else 0, row % 5
        price = "" if row % 50 == 7 else f"{20 + (row * 13) % 40}.5"
        lines.append(f"{months},{price},{calls},{int(calls * 12 > months)}")
    path = folder / "customers.csv"
    path.write_text("\n".join(lines) + "\n")
    return path
