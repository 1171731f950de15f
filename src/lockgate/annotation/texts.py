"""Free text as numbers: texts that speak of the same lie close, and texts that are nearly equal are known as such.

Words, their first five letters (so that `delivered` and `delivery` meet) and pairs of words are weighed by how rare they are and
condensed by a truncated singular value decomposition. Scripts without spaces are read letter by letter and in pairs. Whether two
texts are nearly equal is told by the pieces of four letters that they share, case and punctuation left out. Sources: Salton
and Buckley (1988), Term-weighting approaches in automatic text retrieval; Deerwester et al. (1990), Indexing by latent
semantic analysis; Broder (1997), On the resemblance and containment of documents.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lockgate.annotation.diverse import drawn
from lockgate.annotation.repeats import Likeness
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import decomposition
    from sklearn.feature_extraction import text as features
else:
    decomposition, features = late("sklearn.decomposition"), late("sklearn.feature_extraction.text")

WIDE = 100  # numbers a text
ALIKE = 0.95  # cosine of the pieces of two texts that say the same to whoever reads them
_SCALE = 10**0.5  # a text weighs as much as ten columns of spread 1
_LEARNED = 20_000  # texts that say how rare a word is
_AT_ONCE = 2_000  # texts whose words are in memory together
_MOST_WORDS = 50_000
_MOST_LETTERS = 5_000  # of a text that are read
_STEM = 5
_FEW_WORDS = 3  # on the median: shorter cells are names and codes
_MANY_WORDS = 8  # such cells are text also where the same stand there often
_PIECE = 4
_PLACES = 2**18
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\d_]+|\d+")
_NO_WORD = re.compile(r"[\W_]+")


def text_columns(frame: pl.DataFrame, read: Collection[str]) -> list[str]:
    """The columns that hold free text. `read`: those that the reader of tables can tell something of; long text is text even
    so."""
    found = []
    for name in frame.columns:
        if frame[name].dtype != pl.String or looks_like_identifier(frame[name]):
            continue
        words = _usual_words(frame[name])
        if words >= _MANY_WORDS or (words >= _FEW_WORDS and name not in read):
            found.append(name)
    return found


@dataclass(frozen=True, eq=False)
class TextReader:
    """Reads texts by what one column of them held."""

    weights: Any
    turned: Any

    def __call__(self, series: pl.Series) -> np.ndarray:
        """Texts as numbers, (n, <= `WIDE`): rows of one length; a text without any known word is all zeros."""
        parts = [self._rows(part) for part in series.to_frame().iter_slices(_AT_ONCE)]
        rows = np.concatenate(parts) if parts else np.empty((0, self.turned.n_components))
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(_SCALE * rows / np.where(length > 1e-9, length, 1))

    def _rows(self, part: pl.DataFrame) -> np.ndarray:
        return np.asarray(self.turned.transform(self.weights.transform(_texts(part.to_series()))))


def text_reader(series: pl.Series, random: int = 0) -> TextReader | None:
    """How to read texts like these; None where hardly a word stands in two of them."""
    texts = _texts(series[drawn(len(series), _LEARNED, random)])
    weights = features.TfidfVectorizer(
        analyzer=tokens_of, min_df=2, max_features=_MOST_WORDS, sublinear_tf=True
    )
    if len(texts) < 2:
        return None
    try:
        made = weights.fit_transform(texts)
    except ValueError:  # no word stands in two texts
        return None
    wide = min(WIDE, min(made.shape) - 1)
    return (
        TextReader(weights, decomposition.TruncatedSVD(wide, random_state=random).fit(made)) if wide else None
    )


def tokens_of(text: str) -> list[str]:
    """What a text is weighed by: words, the beginnings of long ones, pairs of words; numbers by how long they are.

    >>> tokens_of("Delivered late, 27 days")
    ['delivered', '^deliv', 'late', '0#2', 'days', 'delivered late', 'late 0#2', '0#2 days']
    """
    words = [f"0#{len(each)}" if each.isdigit() else each for each in _WORD.findall(text.lower())]
    alone = [
        part for word in words for part in ((word, f"^{word[:_STEM]}") if len(word) > _STEM else (word,))
    ]
    return [*alone, *(f"{one} {two}" for one, two in pairwise(words))]


def text_likeness(series: pl.Series) -> Likeness:
    """Which of these texts are nearly equal."""
    pieces = features.HashingVectorizer(
        analyzer="char", ngram_range=(_PIECE, _PIECE), n_features=_PLACES, alternate_sign=False, norm="l2"
    )

    def rows(places: np.ndarray) -> Any:
        return pieces.transform(f"  {_NO_WORD.sub(' ', text.lower())}  " for text in _texts(series[places]))

    return Likeness(rows, float((2 * (1 - ALIKE)) ** 0.5))


def _texts(series: pl.Series) -> list[str]:
    return series.fill_null("").str.slice(0, _MOST_LETTERS).to_list()


def _usual_words(series: pl.Series) -> float:
    there = series.drop_nulls()
    some = there[drawn(len(there), 1_000, 0)].str.slice(0, _MOST_LETTERS).to_list()
    return (
        float(np.median([sum(not word.isdigit() for word in _WORD.findall(text)) for text in some]))
        if some
        else 0.0
    )
