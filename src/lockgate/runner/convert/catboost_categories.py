"""CatBoost's categories: a category is a hash; its statistics of the training (counts of the classes) stand in the file by hash.

So each known category has one number for each statistic, and any other the number of an empty count: a column of numbers by
category. That is exact as long as every hash in the file is that of a known category, which is looked at. Formulas and hashes are
those of catboost/libs/model/model_export/resources/catboost_model.py, in float32.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from .graph import MISSING_TEXT
from .parts import Coded, Number, Part, Text, tensor, width
from .protobuf import FLOAT, INT64
from .writing import CannotConvert, Writing

MAGIC, WORD = 0x4906BA494954CB65, 1 << 64
EMPTY = str(WORD - 1)  # a free place in a table of hashes
MISSING = "nan"  # a missing text as the runner gives it to CatBoost
WHOLE = range(-1_000, 20_001)  # whole numbers that are tried as categories
CATEGORY = "cat_feature_value"
MOST_COMBINED = 100_000
SINGLE = np.float32


def candidates(model: Any) -> list[list[str]]:
    """Of each categorical column the texts that may be its categories. Raises CannotConvert for other kinds of columns."""
    fields, found = model.fields, []
    if any(field["shape"] for field in fields) or len(fields) != model.feature_count():
        raise CannotConvert("CatBoost's categories are converted from columns, not from a vector")
    for place in model.categorical:
        field = fields[place]
        if field["datatype"] == "BYTES":
            found.append([*dict.fromkeys([*field["categories"], MISSING])])
        elif field["datatype"].startswith(("INT", "UINT")):
            found.append([str(number) for number in WHOLE])
        else:
            raise CannotConvert(
                f"the categories of '{field['name']}' are numbers with fractions, which CatBoost cuts"
            )
    return found


class Columns:
    """Columns for what splits ask of categories: `made`, after the table's own ones."""

    def __init__(
        self, said: Any, columns: list[Part], places: list[int], known: list[list[str]], w: Writing
    ) -> None:
        info = said["features_info"]
        self._hashes = {one["value"]: int(one["hash"]) for one in info["cat_features_hash"]}
        self._first = width(columns)
        self._asked = [columns[place] for place in places]
        self._known, self._data, self._ctrs, self._w = (
            known,
            said["ctr_data"] if said.get("ctr_data") else {},
            info.get("ctrs") or [],
            w,
        )
        self._of_split = self._listed(info)
        self._columns, self._numbers = columns, {one["feature_index"]: one for one in info["float_features"]}
        self._places: dict[Any, int] = {}
        self.made: list[Part] = []

    def of(self, split: Any) -> tuple[int, float]:
        """The place of a split's column, and the border that it passes when it is greater. Raises CannotConvert."""
        kind, which, border = self._of_split.get(split.get("split_index"), (None, 0, 0.0))
        if kind == "OneHotFeature" and split["split_type"] == kind and split["value"] == border:
            return self._place((kind, which, border), lambda: self._is(which, int(border))), 0.5
        if kind == "OnlineCtr" and split["split_type"] == kind and split["border"] == border:
            return self._place((kind, which), lambda: self._counted(self._ctrs[which])), float(border)
        raise CannotConvert(f"CatBoost's {split.get('split_type')} has no writer")

    def _listed(self, info: Any) -> dict[int, tuple[str, int, float]]:
        """Splits by their number: borders of numbers come first, then values of categories, then borders of statistics."""
        listed: list[tuple[str, int, float]] = [
            ("FloatFeature", one["feature_index"], border)
            for one in info["float_features"]
            for border in one["borders"] or []
        ]
        listed += [
            ("OneHotFeature", one["feature_index"], value)
            for one in info["categorical_features"]
            for value in one.get("values") or []
        ]
        listed += [
            ("OnlineCtr", number, border)
            for number, one in enumerate(self._ctrs)
            for border in one["borders"] or []
        ]
        return dict(enumerate(listed))

    def _place(self, key: Any, make: Any) -> int:
        if key not in self._places:
            self._places[key] = self._first + len(self.made)
            self.made.append(make())
        return self._places[key]

    def _is(self, which: int, value: int) -> Part:
        """1 for the category of this hash, 0 for others."""
        numbers = [1.0 if _signed(self._hashes[text]) == value else 0.0 for text in self._known[which]]
        if not any(numbers):
            raise CannotConvert("a category that the model asks for is none of the signature's")
        return self._coded(which, numbers, 0.0)

    def _counted(self, ctr: Any) -> Part:
        """The statistic of each category, or of each combination, and that of an unknown one."""
        data = self._data[ctr["identifier"]]
        stride, flat, denominator = data["hash_stride"], data["hash_map"], data["counter_denominator"]
        counts = {
            flat[at]: flat[at + 1 : at + stride] for at in range(0, len(flat), stride) if flat[at] != EMPTY
        }
        if len(ctr["elements"]) > 1 or ctr["elements"][0]["combination_element"] != CATEGORY:
            return self._combined(ctr, counts, denominator)
        which = int(ctr["elements"][0]["cat_feature_index"])
        keys = {text: str(combined(0, self._hashes[text])) for text in self._known[which]}
        _require_known(counts, keys.values())
        numbers = [_value(ctr, counts.get(keys[text]), denominator) for text in self._known[which]]
        return self._coded(which, numbers, _value(ctr, None, denominator))

    def _combined(self, ctr: Any, counts: dict[str, list[float]], denominator: int) -> Part:
        """One number for each combination of categories, conditions on numbers and single categories."""
        graph = self._w.graph
        axes = [self._axis(element) for element in ctr["elements"]]
        if np.prod([float(len(values)) for _, values in axes]) > MOST_COMBINED:
            raise CannotConvert("a combination of CatBoost's categories has too many values for a table")
        hashes: list[int | None] = [0]
        place = ""
        for code, values in axes:
            hashes = [None if before is None or value is None else combined(before, value)
                      for before in hashes for value in values]  # fmt: skip
            wide = graph.node("Mul", place, graph.constant(np.array(len(values)))) if place else ""
            place = graph.node("Add", wide, code) if wide else code
        _require_known(counts, map(str, hashes))
        table = np.array([_value(ctr, counts.get(str(one)), denominator) for one in hashes])
        return tensor(graph.node("Gather", graph.constant(table), place), 1)

    def _axis(self, element: Any) -> tuple[str, list[int | None]]:
        """A row's place on one axis (n, 1), and what each place adds to the hash; None: a category that nobody knows."""
        kind, graph = element["combination_element"], self._w.graph
        if kind == "float_feature":
            number = self._numbers[element["float_feature_index"]]
            name = self._columns[number["flat_feature_index"]].matrix(graph)
            if number["nan_value_treatment"] == "AsTrue":
                name = graph.node("Where", graph.node("IsNaN", name), graph.constant(np.array(np.inf)), name)
            border = graph.constant(np.array(element["border"], dtype=np.float32))
            above = graph.node("Greater", graph.node("Cast", name, to=FLOAT), border)
            return graph.node("Cast", above, to=INT64), [0, 1]
        which = int(element["cat_feature_index"])
        texts = self._likely(which)
        code, values = self._codes(which, texts), [self._hashes[text] for text in texts]
        if isinstance(self._asked[which], Text):
            values.append(self._hashes[MISSING])
        if kind == CATEGORY:
            return code, [*values, None]
        is_it = np.array([*(_signed(value) == element["value"] for value in values), False]).astype(np.int64)
        if not is_it.any():
            raise CannotConvert("a category that the model asks for is none of the signature's")
        return graph.node("Gather", graph.constant(is_it), code), [0, 1]

    def _codes(self, which: int, texts: list[str]) -> str:
        part = self._asked[which]
        if isinstance(part, Text):
            keys = np.array([*texts, MISSING_TEXT], dtype=object)
            return Coded(part.source, keys, np.zeros((len(keys) + 1, 1))).codes(self._w.graph)
        numbers = np.array([float(text) for text in texts])
        return Coded(part.matrix(self._w.graph), numbers, np.zeros((len(texts) + 1, 1))).codes(self._w.graph)

    def _likely(self, which: int) -> list[str]:
        """The known categories of a column; of whole numbers those that the model counts or asks for by themselves."""
        if isinstance(self._asked[which], Text):
            return self._known[which]
        alone = json.dumps({"identifier": [{"cat_feature_index": which, "combination_element": CATEGORY}]})[
            1:-1
        ]
        held = {
            one
            for name, data in self._data.items()
            if alone.replace(" ", "") in name
            for one in data["hash_map"]
        }
        return [text for text in self._known[which] if str(combined(0, self._hashes[text])) in held]

    def _coded(self, which: int, numbers: list[float], other: float) -> Part:
        part, known = self._asked[which], self._known[which]
        if isinstance(part, Text):
            table = np.array([*numbers, numbers[known.index(MISSING)], other]).reshape(-1, 1)
            return Coded(part.source, np.array([*known, MISSING_TEXT], dtype=object), table)
        if not isinstance(part, Number):
            raise CannotConvert("a category that was encoded before is not converted")
        apart = [place for place, number in enumerate(numbers) if number != other] or [0]
        keys = np.array([float(known[place]) for place in apart])
        table = np.array([*(numbers[place] for place in apart), other]).reshape(-1, 1)
        return Coded(part.matrix(self._w.graph), keys, table)


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value


def combined(before: int, value: int) -> int:
    """The hash of what came before with one more: a category's own hash, or whether a condition holds."""
    return MAGIC * ((before + MAGIC * (_signed(value) % WORD)) % WORD) % WORD


def _require_known(counts: dict[str, Any], hashes: Iterable[str]) -> None:
    if set(counts) - set(hashes):
        raise CannotConvert(
            "the model counts categories that are none of the signature's: they came in its training alone"
        )


def _value(ctr: Any, counts: list[float] | None, denominator: int) -> float:
    """One statistic, in float32 as CatBoost computes it. Raises CannotConvert for kinds that have no writer."""
    kind, border = ctr["ctr_type"], ctr.get("target_border_idx", 0)
    if kind == "Borders":
        good, total = (sum(counts[border + 1 :]), sum(counts)) if counts else (0, 0)
    elif kind == "Buckets":
        good, total = (counts[border], sum(counts)) if counts else (0, 0)
    elif kind == "BinarizedTargetMeanValue":
        good, total = (counts[0], counts[1]) if counts else (0, 0)
    elif kind in ("Counter", "FeatureFreq"):
        good, total = counts[0] if counts else 0, denominator
    else:
        raise CannotConvert(f"CatBoost's statistic {kind} has no writer")
    share = (SINGLE(good) + SINGLE(ctr["prior_numerator"])) / (
        SINGLE(total) + SINGLE(ctr["prior_denomerator"])
    )
    return float((share + SINGLE(ctr["shift"])) * SINGLE(ctr["scale"]))
