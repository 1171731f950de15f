"""Which requests a shadow scores, and what it puts on record."""

import numpy as np
import pytest

from lockgate.predictions.record import Attempt, Kind, columns_of
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.release.shadow_score import ShadowJob, fitted, score, wants
from lockgate.traffic import Role

from .shadow_models import NOON_US, model, request

JOB = ShadowJob(model="churn", version=2, digest="sha256:50", release=7)
CANDIDATE = model(50.0)


def test_answers_come_in_order_and_name_their_request() -> None:
    """Each request has one shadow record with its time, its id and the answer of the other version."""
    requests = [request("a", 45.0, key="k"), request("b", [55.0, 30.0]), request("c", 60.0, stage=2)]
    answers = score(JOB, CANDIDATE, requests, 5.0)
    assert [(answer.of, answer.rows, answer.stage) for answer in answers] == [
        ("a", 1, 0),
        ("b", 2, 0),
        ("c", 1, 2),
    ]
    assert [columns_of(answer.outputs)["label"].tolist() for answer in answers] == [[0], [1, 0], [1]]
    first = answers[0]
    assert (first.kind, first.role, first.version, first.release) == (Kind.SHADOW, Role.SHADOW, 2, 7)
    assert (first.at_us, first.key, first.status) == (NOON_US, "k", 200)
    assert len({answer.id for answer in answers}) == 3
    assert [answer.id for answer in score(JOB, CANDIDATE, requests, 5.0)] == [answer.id for answer in answers]


def test_a_request_that_breaks_the_model_costs_no_other_its_answer() -> None:
    """The model raises on one request and answers NaN on another: both are on record as failed, the others scored."""
    requests = [request("ok", 45.0), request("raises", 120.0), request("nan", -1.0), request("fine", 60.0)]
    answers = score(JOB, CANDIDATE, requests, 5.0)
    assert [answer.status for answer in answers] == [200, 500, 500, 200]
    assert "the model raised" in str(answers[1].error)
    assert str(answers[2].error).startswith("invalid answer: the output 'p' holds NaN")
    assert [answer.of for answer in answers] == ["ok", "raises", "nan", "fine"]


def test_a_version_that_needs_more_says_what_is_missing() -> None:
    """Requests without an input that the other version requires are on record as refused, with its name."""
    wider = Signature(
        inputs=(Field(name="income", datatype=DataType.FP64),), outputs=CANDIDATE.manifest.signature.outputs
    )
    answers = score(JOB, model(50.0, signature=Signature(inputs=(*CANDIDATE.manifest.signature.inputs, *wider.inputs),
                                                         outputs=wider.outputs)), [request("a", 45.0)], 5.0)  # fmt: skip
    assert answers[0].status == 400
    assert "'income' is missing" in str(answers[0].error)


def test_recorded_types_are_fitted_to_the_other_signature() -> None:
    """Whole numbers fit floats and back; a fraction does not fit a whole number, and is named."""
    signature = Signature(inputs=(Field(name="n", datatype=DataType.INT32),), outputs=())
    assert fitted({"n": np.array([3.0]), "extra": np.array([1])}, signature)["n"].dtype == np.int32
    with pytest.raises(ValueError, match="'n' holds a value that has no place in int32"):
        fitted({"n": np.array([3.5])}, signature)
    with pytest.raises(ValueError, match="'n' has another type"):
        fitted({"n": np.array(["x"], dtype=object)}, signature)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, True),
        ({"version": 2}, False),
        ({"model": "fraud"}, False),
        ({"kind": Kind.SHADOW}, False),
        ({"kind": Kind.BATCH}, False),
        ({"forced": True}, False),
        ({"status": 400}, False),
        ({"status": 500}, True),
        ({"inputs": []}, False),
        ({"at_us": NOON_US - 1}, False),
        ({"failed": Attempt(2, "d", "error", "boom", 1)}, False),
        (
            {"failed": Attempt(2, "d", "slow", "no answer yet", 1)},
            True,
        ),  # nobody knows how it would have answered
    ],
)
def test_which_requests_are_scored(fields: dict[str, object], wanted: bool) -> None:
    """Another version's answers to callers since the start are scored; refused, forced and own requests are not."""
    job = ShadowJob(model="churn", version=2, digest="d", release=7, since_us=NOON_US)
    assert wants(job, request("a", 45.0, **fields)) is wanted


def test_a_share_is_kept_and_stays_the_same() -> None:
    """With a share of 0.3 about that many requests are scored, and always the same ones."""
    job = ShadowJob(model="churn", version=2, digest="d", release=7, share=0.3)
    plain = request("x", 45.0)
    chosen = [n for n in range(2_000) if wants(job, type(plain)(**{**_fields(plain), "id": str(n)}))]
    again = [n for n in range(2_000) if wants(job, type(plain)(**{**_fields(plain), "id": str(n)}))]
    assert chosen == again
    assert 0.26 < len(chosen) / 2_000 < 0.34


def _fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in type(record).__struct_fields__}  # type: ignore[attr-defined]
