"""The numbers that a collector reads, parsed by Prometheus' own library and held to its naming rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from lockgate.gateway.metrics import BUCKETS_S, Metrics, State
from lockgate.membership import Tripped
from lockgate.predictions.record import Attempt, Record
from lockgate.samples import FAMILIES, Sample, exposition, gather, leave, take_away
from lockgate.traffic import Role, Route


def record(latency_us: int = 3_000, version: int = 3, role: Role = Role.LIVE) -> Record:
    """A record of a model whose name needs escaping."""
    return Record(id="1", at_us=0, latency_us=latency_us, model='ch"urn', version=version, rows=2, role=role)


def values(text: str) -> dict[tuple[str, ...], float]:
    """Every sample by name and label values, without the worker."""
    return {
        (s.name, *(value for name, value in sorted(s.labels.items()) if name != "worker")): s.value
        for family in parse(text)
        for s in family.samples
    }


def test_answers_are_counted_by_model_version_and_arm() -> None:
    """Success and failure, time and rows; a histogram's last bucket is its count."""
    metrics = Metrics("gateway-0")
    metrics.answered(record(), 200)
    metrics.answered(record(latency_us=40_000_000), 200)
    metrics.answered(record(role=Role.CANARY, version=4), 500)
    for reason in ("timeout", "input"):
        instead = msgspec.structs.replace(record(version=9), failed=Attempt(4, "d", reason, "words", 1))
        metrics.answered(instead, 200)
    metrics.limited("key")
    found = values(exposition(metrics.samples(State(gap=1, epoch=6))))
    live, canary = ("live", 'ch"urn', "3"), ("canary", 'ch"urn', "4")
    assert found["model_infer_request_success_total", *live] == 2
    assert found["model_infer_request_failure_total", *live] == 0
    assert found["model_infer_request_failure_total", *canary] == 1
    assert found["model_infer_rows_total", *live] == 4
    assert found["model_infer_rows_total", *canary] == 0
    name = "model_infer_request_duration_seconds"
    assert found[f"{name}_bucket", "live", "0.005", 'ch"urn', "3"] == 1
    assert found[f"{name}_bucket", "live", "0.0025", 'ch"urn', "3"] == 0
    assert found[f"{name}_bucket", "live", "+Inf", 'ch"urn', "3"] == found[f"{name}_count", *live] == 2
    assert found[f"{name}_sum", *live] == pytest.approx(40.003)
    assert found["lockgate_requests_total", "canary", 'ch"urn', "500", "4"] == 1
    assert found["lockgate_canary_failures_total", 'ch"urn', "timeout"] == 1
    assert ("lockgate_canary_failures_total", 'ch"urn', "input") not in found
    assert found["lockgate_limited_total", "key"] == 1
    assert found["lockgate_log_gap_total",] == 1


def test_a_tripped_breaker_is_told_of() -> None:
    """By model and release, while it is open."""
    state = State(
        gap=0,
        epoch=1,
        routes={"churn": Route(model="churn", arms=(), release=7)},
        tripped=[Tripped(release=7, reason="raised", at_us=1)],
    )
    found = values(exposition(Metrics("gateway-0").samples(state)))
    assert found["lockgate_breaker_open", "churn", "7"] == 1


def test_several_workers_are_one_text(tmp_path: Path) -> None:
    """Each under its label; a worker that ended takes its numbers along; every family is told of once."""
    for number in range(2):
        metrics = Metrics(f"gateway-{number}")
        metrics.answered(record(), 200)
        leave(tmp_path, f"gateway-{number}", metrics.samples(State(gap=0, epoch=5)))
    text = exposition(gather(tmp_path, "gateway-1", metrics.samples(State(gap=0, epoch=6))))
    epochs = {s.labels["worker"]: s.value for f in parse(text) for s in f.samples if "epoch" in s.name}
    assert epochs == {"gateway-0": 5, "gateway-1": 6}
    assert text.count("# TYPE model_infer_request_duration_seconds histogram") == 1
    take_away(tmp_path, "gateway-0")
    assert "gateway-0" not in exposition(gather(tmp_path, "gateway-1", []))


def test_names_follow_the_rules_of_the_field() -> None:
    """As promtool checks: base units, counters end in _total and nothing else does, every family has words."""
    for name, (kind, words) in FAMILIES.items():
        assert (kind == "counter") == name.endswith("_total"), name
        assert not name.endswith(("_ms", "_us", "_milliseconds", "_mb", "_count", "_sum", "_bucket")), name
        assert words.endswith(".")
        assert len(words) < 100
    assert list(BUCKETS_S) == sorted(BUCKETS_S)


def test_what_another_version_of_lockgate_left_is_passed_over() -> None:
    """A family that is not known here has no type, so a collector would refuse the whole page."""
    assert "unheard_of" not in exposition([Sample("unheard_of_total", {}, 1)])


def test_a_real_worker_tells_all_of_it(served: Any) -> None:
    """After traffic every promised family is there and parses; names and kinds agree with what was sent."""
    with served.client() as client:
        for _ in range(3):
            assert client.post("/v2/models/churn/infer", json=served.infer([1, 2, 3])).status_code == 200
        assert client.post("/v2/models/churn/infer", content=b"{").status_code == 400
        text = client.get("/metrics").text
    families = {family.name: family for family in parse(text)}
    found = values(text)
    arm = ("live", "churn", "1")
    assert found["model_infer_request_success_total", *arm] == 3
    assert found["model_infer_request_failure_total", *arm] == 1
    assert found["model_infer_batch_requests_count", "churn", "1"] == 3
    assert found["lockgate_queue_requests", "churn", "1"] == 0
    assert found["lockgate_bodies_bytes",] == 0
    assert found["process_open_fds",] > 3
    assert found["process_resident_memory_bytes",] > 20e6
    assert {family.type for family in families.values()} <= {"counter", "gauge", "histogram"}
    assert all(family.documentation for family in families.values())
