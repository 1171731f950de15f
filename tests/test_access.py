"""Who may call the gateway, by the published snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.access import Access, AccessShelf, Caller, key_hash, may_call, parse_rate, require_read
from lockgate.errors import Forbidden, InvalidInput, Unauthorized

SNAPSHOT = Access(
    callers={key_hash("lg_shop"): Caller("shop", ("churn",)), key_hash("lg_ada"): Caller("ada", ("*",))}
)


def test_a_key_calls_its_models_alone() -> None:
    """OK for its own model and for everything with `*`; Forbidden names person, model and the way to a grant."""
    assert may_call(SNAPSHOT, "lg_shop", "churn") == "shop"
    assert may_call(SNAPSHOT, "lg_ada", "anything") == "ada"
    with pytest.raises(
        Forbidden, match=r"shop may not call model 'fraud'.*lockgate grant shop caller --model fraud"
    ):
        may_call(SNAPSHOT, "lg_shop", "fraud")


@pytest.mark.parametrize(
    ("key", "sentence"), [(None, "no key was sent"), ("", "no key"), ("lg_x", "was revoked")]
)
def test_without_a_valid_key_nobody_calls(key: str | None, sentence: str) -> None:
    """Unauthorized says whether a key was missing or wrong."""
    with pytest.raises(Unauthorized, match=sentence):
        may_call(SNAPSHOT, key, "churn")


def test_an_open_gateway_asks_for_no_key_but_does_not_take_a_wrong_one() -> None:
    """No key is anonymous; a wrong one is a mistake that its sender should hear of."""
    opened = Access(open=True)
    assert may_call(opened, None, "churn") == "anonymous"
    with pytest.raises(Unauthorized):
        may_call(opened, "lg_x", "churn")


def test_a_snapshot_goes_through_the_shelf(tmp_path: Path) -> None:
    """Nobody before the first publication; then what was published, by epoch."""
    shelf = AccessShelf(tmp_path)
    assert shelf.latest() == Access()
    assert shelf.publish(SNAPSHOT) == 1
    other = AccessShelf(tmp_path)
    assert (other.word(), other.latest()) == (1, SNAPSHOT)


def test_the_snapshot_holds_no_key(tmp_path: Path) -> None:
    """Reading the published file gives hashes, not keys."""
    AccessShelf(tmp_path).publish(SNAPSHOT)
    assert all(b"lg_shop" not in path.read_bytes() for path in tmp_path.iterdir())


def test_who_may_look_need_not_be_able_to_call() -> None:
    """A viewer reads a model's metadata and calls nothing; who calls it may look at it; others are refused alike."""
    viewer, shop = Caller("vera", (), ("churn",)), Caller("shop", ("fraud",))
    require_read(viewer, "churn")
    require_read(shop, "fraud")
    for caller, model in ((viewer, "fraud"), (shop, "churn"), (shop, "no-such-model")):
        with pytest.raises(Forbidden, match="may not call"):
            require_read(caller, model)


@pytest.mark.parametrize("text", ["100", "100/day", "x/s", "0/s", "-5/s", "nan/s", "inf/s", "1e9/s", ""])
def test_a_rate_that_cannot_be_meant_is_refused(text: str) -> None:
    """InvalidInput shows how a rate is written."""
    with pytest.raises(InvalidInput, match="as in 100/s"):
        parse_rate(text)
