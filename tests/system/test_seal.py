"""One flipped byte in a sealed package that is being released: the gateway refuses it by name, live serves on."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.system.box import Box, ok, refused, submit_words, wait_for
from tests.system.loans import Loans, infer

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def live(box: Box, loans: Loans) -> Box:
    """loan/1 is live, loan/2 is validated."""
    for name in ("first", "second"):
        ok(box.far(*submit_words(loans.path(name), "loan", loans.data)))
    for number in (1, 2):
        ok(box.far("validate", f"loan/{number}"))
    ok(box.far("release", "loan/1", "--set", "watch_s=0"))
    box.wait_for_phase("loan", "done")
    return box


def package_of(box: Box, version: int) -> Path:
    """Where a version's sealed package lies."""
    digest = box.ask(f"/models/loan/versions/{version}")["version"]["digest"]
    return box.home.blobs / "packages" / digest.removeprefix("sha256:")


def flip(path: Path) -> None:
    """Change one bit of one byte in the middle, however well the file is guarded against writing."""
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    mode = path.stat().st_mode
    path.chmod(mode | 0o200)
    path.write_bytes(body)
    path.chmod(mode)


def answered(client: httpx.Client, loans: Loans) -> httpx.Response | None:
    """What the gateway says; None while nobody listens."""
    try:
        return client.post("/v2/models/loan/infer", json=infer(loans.row(0)))
    except httpx.TransportError:
        return None


def test_a_changed_package_is_refused_by_name(live: Box, loans: Loans) -> None:
    """The release ends with the file's name in its reason; callers go on getting loan/1; the next release is not blocked."""
    graph = package_of(live, 2) / "compiled" / "model.onnx"
    flip(graph)
    ok(live.far("release", "loan/2", "--set", "shadow_requests=0", "--set", "shadow_min_s=0"))
    found = live.wait_for_phase("loan", "rolled_back", "held")
    reason = found["release"]["reason"]
    assert "compiled/model.onnx" in reason, reason
    assert "gateway worker gateway-0 cannot load it" in reason
    told = ok(live.far("release", "status", "loan"))
    assert "compiled/model.onnx" in told
    with live.client() as client:
        answers = [client.post("/v2/models/loan/infer", json=infer(loans.row(n))) for n in range(20)]
        assert {answer.headers["x-lockgate-version"] for answer in answers} == {"loan/1"}
        assert client.get("/v2/health/ready").status_code == 200
        forced = client.post("/v2/models/loan/versions/2/infer", json=infer(loans.row(0)))
    assert forced.status_code in (404, 503)
    wait_for(lambda: "compiled/model.onnx" in (live.home.run / "gateway-0.log").read_text())


def test_a_changed_package_is_neither_validated_nor_scored(live: Box, loans: Loans) -> None:
    """Whoever opens it is told which file differs."""
    rows = live.folder / "rows.csv"
    loans.rows.iloc[:5].to_csv(rows, index=False)
    refused(live.far("validate", "loan/2"), 6, "compiled/model.onnx")
    refused(
        live.far("score", "loan/2", str(rows), "-o", str(live.folder / "out.parquet")),
        6,
        "compiled/model.onnx",
    )
    assert not (live.folder / "out.parquet").exists()


def test_a_live_package_that_changes_is_not_loaded_again(live: Box, loans: Loans) -> None:
    """The running gateway has loan/1 in memory and serves on; one that starts anew refuses it and says so."""
    graph = package_of(live, 1) / "compiled" / "model.onnx"
    flip(graph)
    with live.client() as client:
        assert client.post("/v2/models/loan/infer", json=infer(loans.row(0))).status_code == 200
    before = live.pid("gateway-0")
    assert live.kill("gateway-0")
    wait_for(lambda: live.pid("gateway-0") not in (None, before))
    with live.client() as client:
        found = wait_for(lambda: answered(client, loans))
        assert found.status_code == 503, found.text
        assert client.get("/v2/health/ready").status_code == 503
    wait_for(lambda: "compiled/model.onnx" in (live.home.run / "gateway-0.log").read_text())
    wait_for(lambda: "compiled/model.onnx" in ok(live.far("status")), said=live.said)
    flip(graph)
    with live.client() as client:
        wait_for(lambda: client.get("/v2/health/ready").status_code == 200, 60)
