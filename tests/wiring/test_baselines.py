"""What a validation left is read also while it is written anew, and what is gone is no error."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.wiring.test_veiling import MANIFEST, house, newest  # noqa: F401

from lockgate.registry.manifest import digest_of
from lockgate.wiring import baselines
from lockgate.wiring.baselines import left_by_validation
from lockgate.wiring.house import House
from lockgate.wiring.monitoring import knowing
from lockgate.wiring.veiling import veil_baselines

PACKAGE = digest_of(MANIFEST)


def test_one_that_is_written_anew_between_its_name_and_its_reading_is_found(
    house: House,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reader has the old name, the archiver takes the file away: the reader gets the new one, without personal values."""
    load, asked = baselines.load_baseline, []

    def late(blobs: object, name: str) -> object:
        asked.append(name)
        if len(asked) == 1:
            assert veil_baselines(house) == 1
        return load(house.blobs, name)

    monkeypatch.setattr(baselines, "load_baseline", late)
    validation, baseline = left_by_validation(house, PACKAGE, "churn")
    assert validation == newest(house)
    assert baseline is not None
    assert baseline.veiled == ("contact", "town")
    assert len(asked) == 2


def test_one_whose_file_is_gone_is_none(house: House) -> None:  # noqa: F811
    """A store that was restored from before: the monitor knows the version, and nothing to compare it with."""
    for path in Path(house.blobs.root).glob("baselines/*"):
        path.unlink()
    assert left_by_validation(house, PACKAGE, "churn") == (newest(house), None)
    assert left_by_validation(house, "sha256:none", "churn") == (None, None)
    assert (known := knowing(house, "churn")(1)) is not None
    assert known.validated is None
