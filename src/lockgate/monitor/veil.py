"""Personal inputs as monitors count them: in coarse ranges and hashed groups (`stats.veil`), as the validation left them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import polars as pl

from lockgate.monitor.reference import Reference
from lockgate.stats.veil import group_of, pairs_without, veiled


@dataclass(frozen=True)
class Veil:
    """Which inputs of a model are personal, declared or found. `secret`: this home's."""

    columns: frozenset[str] = frozenset()
    secret: bytes = b""

    def over(self, reference: Reference) -> Reference:
        """The reference without any value of a person; what was veiled when it was made stays as it is."""
        new = (self.columns & reference.columns.keys()) - {*reference.veiled}
        columns = {
            name: veiled(sketch, name, self.secret) if name in new else sketch
            for name, sketch in reference.columns.items()
        }
        pairs = None if reference.pairs is None else pairs_without(reference.pairs, new)
        said = tuple(sorted({*reference.veiled, *new}))
        return msgspec.structs.replace(reference, columns=columns, pairs=pairs, veiled=said)

    def fits(self, reference: Reference) -> bool:
        """Whether the reference was veiled for these inputs; one of a validation for no others, which it names itself."""
        mine = self.columns & reference.columns.keys()
        return mine == {*reference.veiled} if reference.validated else mine <= {*reference.veiled}

    def groups(self, name: str, words: pl.Series) -> pl.Series:
        """Words (null: missing) as their groups."""
        there = words.drop_nulls().unique().to_list()
        return words.replace_strict(
            {word: group_of(self.secret, name, word) for word in there}, default=None, return_dtype=pl.String
        )


OPEN = Veil()  # over nothing
