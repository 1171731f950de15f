"""A version's whole way by the command line against a real box: submit, validate, release, call, log, labels, score."""

import json
import signal
import subprocess
import sys

import httpx
import polars as pl
import pytest
from tests.cli.conftest import environment

pytestmark = pytest.mark.timeout(300)  # the first test waits for a whole box to start
ROW = {
    "inputs": [{"name": n, "shape": [1], "datatype": "FP64", "data": [v]} for n, v in (("a", 1.0), ("b", 0.5), ("c", -1.0))],
    "parameters": {"key": "customer-1"},
}  # fmt: skip


def ok(done):
    """Standard output of a verb that worked."""
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def live(box, work):
    """The box with churn/1 live, by the very verbs of the README."""
    data = ("--train", str(work / "train.parquet"), "--test", str(work / "test.csv"), "--target", "churned")
    submitted = ok(
        box.far("submit", str(work / "model.joblib"), "--name", "churn", *data, "--metric", "auc=0.9")
    )
    assert "churn/1 is sealed: sha256:" in submitted
    assert "compiled to ONNX with proven parity" in submitted
    assert "next: lockgate release churn/1" in ok(box.far("validate", "churn/1"))
    foreseen = ok(box.far("release", "churn/1", "--plan"))
    assert "nothing is started" in foreseen
    assert "What this plan cannot see" in foreseen
    started = ok(box.far("release", "churn/1", "--reason", "the first", "--set", "watch_s=3600"))
    assert "What this plan cannot see" in started
    box.wait_for("churn", "watch")
    return box


def call(box, key):
    """One request at the gateway."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{box.gateway}/v2/models/churn/infer", json=ROW, headers=headers)


def test_a_live_version_answers_and_is_logged(live):
    """The key that the first start printed calls the model; the answer is in the log at once, by every format."""
    answer = call(live, live.key)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-lockgate-version"] == "churn/1"
    number = answer.headers["x-lockgate-request-id"]
    rows = [json.loads(line) for line in ok(live.far("log", "churn", "--since", "1h", "--json")).splitlines()]
    assert number in [row["id"] for row in rows]
    table = live.folder / "log.parquet"
    ok(live.far("log", "churn", "--where", "status = 200", "-o", str(table)))
    assert number in pl.read_parquet(table)["id"].to_list()


def test_the_gateway_asks_for_a_key_that_may_call(live):
    """No key 401, an auditor's 403, a caller's 200, and a revoked one 401 from then on."""
    assert call(live, None).status_code == 401
    ok(live.far("person", "add", "auditor"))
    ok(live.far("grant", "auditor", "auditor"))
    ok(live.far("person", "add", "app", "--application"))
    ok(live.far("grant", "app", "caller", "--model", "churn"))
    auditor, app = (ok(live.far("key", "create", name)).strip() for name in ("auditor", "app"))
    assert call(live, auditor).status_code in (401, 403)
    assert call(live, app).status_code == 200
    number = json.loads(ok(live.far("key", "list", "app", "--json")))[0]["id"]
    ok(live.far("key", "revoke", str(number)))
    assert call(live, app).status_code == 401


def test_labels_are_joined_by_key(live):
    """A CSV with the business key: the label stands beside the prediction."""
    call(live, live.key)
    labels = live.folder / "labels.csv"
    labels.write_text("customer,churned\ncustomer-1,1\n,0\n")
    done = ok(live.far("labels", "import", "churn", str(labels), "--label", "churned", "--key", "customer"))
    assert "1 new" in done
    assert "1 without a key" in done
    rows = [
        json.loads(line)
        for line in ok(live.far("log", "churn", "--where", "key = 'customer-1'", "--json")).splitlines()
    ]
    assert {row["label"] for row in rows} == {1}


def test_score_a_table(live, work):
    """The live version scores a table; answers are in the file and in the log; an existing file is left alone."""
    target = live.folder / "scored.parquet"
    done = json.loads(
        ok(live.far("score", "churn@live", str(work / "test.csv"), "-o", str(target), "--json"))
    )
    assert (done["rows"], done["failed"], done["version"]) == (1000, 0, 1)
    assert pl.read_parquet(target)["prediction"].len() == 1000
    assert live.far("score", "churn@live", str(work / "test.csv"), "-o", str(target)).returncode == 5


def test_the_log_is_exported_checked_and_forgets_a_person(live):
    """Each command of `lockgate log` by its name: a file of all rows, a sound archive, and a person who is gone."""
    call(live, live.key)
    target = live.folder / "export.parquet"
    ok(live.far("log", "export", "churn", "--since", "1h", "--to", str(target)))
    assert "customer-1" in pl.read_parquet(target)["key"].to_list()
    assert "0 damaged" in ok(live.far("log", "check"))
    assert live.far("log", "erase", "churn", "--key", "customer-1").returncode == 2  # a reason is asked
    done = json.loads(
        ok(live.far("log", "erase", "churn", "--key", "customer-1", "--reason", "case 12", "--json"))
    )
    assert done["erasure"]["counts"]["requests"] >= 1
    assert "no predictions" in ok(live.far("log", "show", "churn", "--where", "key = 'customer-1'"))
    assert "customer-1" not in ok(live.far("audit", "show", "--json"))
    ok(live.far("audit", "verify"))


def test_what_is_wrong_is_said(live, work):
    """Unknown model and version, a condition that is no SQL, a table that does not fit: exit statuses and next steps."""
    unknown = live.far("model", "show", "chrun")
    assert (unknown.returncode, "churn" in unknown.stderr) == (4, True)
    assert live.far("validate", "churn/9").returncode == 4
    assert live.far("log", "churn", "--where", "status >> ?").returncode == 2
    assert live.far("log", "churn", "--since", "yesterday-ish").returncode == 2
    narrow = live.folder / "narrow.csv"
    narrow.write_text("a,b\n1,2\n")
    missing = live.far("score", "churn/1", str(narrow), "-o", str(live.folder / "x.parquet"))
    assert (missing.returncode, "add c" in missing.stderr) == (2, True)
    again = live.far("release", "churn/1")
    assert again.returncode == 5
    assert not (live.folder / "x.parquet").exists()


def test_every_read_has_json(live):
    """Each read verb prints JSON with --json, here and against the box alike."""
    reads = [("model", "list"), ("model", "show", "churn"), ("model", "show", "churn/1"), ("model", "search", "churn"),
             ("release", "status", "churn"), ("status",), ("audit", "show"), ("audit", "verify"), ("policy", "show"),
             ("person", "list"), ("key", "list"), ("model", "lead-time", "churn/1")]  # fmt: skip
    for words in reads:
        far = json.loads(ok(live.far(*words, "--json")))
        near = json.loads(ok(live.near(*words, "--json")))
        assert type(far) is type(near), words


def test_a_second_version_shadows_and_is_rolled_back(live, work):
    """The second version waits its turn and is taken off the queue; the first is held, resumed and rolled back, on record."""
    data = ("--train", str(work / "train.parquet"), "--test", str(work / "test.csv"))
    ok(live.far("submit", str(work / "other.joblib"), "--name", "churn", *data))
    unvalidated = live.far("release", "churn/2")
    assert unvalidated.returncode == 5
    running = live.far("status", "churn")
    assert "watch" in running.stdout
    ok(live.far("validate", "churn/2"))
    assert "churn/2 waits" in ok(live.far("release", "churn/2"))
    assert "churn/2" in ok(live.far("release", "status", "churn"))
    (place,) = json.loads(ok(live.far("release", "queue", "churn", "--json")))
    assert (place["version"], place["state"]) == (2, "waiting")
    ok(live.far("release", "cancel", "churn/2", "--reason", "not yet"))
    compared = json.loads(ok(live.far("compare", "churn/1", "churn/2", "--json")))
    assert compared["versions"] == ["churn/1", "churn/2"]
    held = ok(live.far("hold", "churn", "--reason", "looking at something"))
    assert "held" in held
    ok(live.far("resume", "churn", "--reason", "seen"))
    ok(live.far("rollback", "churn", "--reason", "enough"))
    assert call(live, live.key).status_code in (404, 503)
    actions = [row["action"] for row in json.loads(ok(live.far("audit", "show", "churn/1", "--json")))]
    assert {"release:watch:held", "release:held:watch", "release:watch:rolled_back"} <= set(actions)


def test_a_second_box_on_the_same_home_or_port(live):
    """Another `lockgate up` here is refused, and so is one elsewhere on the same port, which is named."""
    assert live.near("up").returncode == 5
    port = live.gateway.rsplit(":", 1)[1]
    elsewhere = live.near(
        "--home", str(live.folder / "elsewhere"), "up", "--port", "0", "--gateway-port", port
    )
    assert elsewhere.returncode == 5
    assert f"port {port} is in use" in elsewhere.stderr
    assert "--gateway-port" in elsewhere.stderr


def test_the_gateways_address_is_not_the_consoles(live):
    """LOCKGATE_URL with the gateway's port: exit status 7, and which address is wanted."""
    done = live.near("model", "list", key=live.key, url=live.gateway)
    assert done.returncode == 7
    assert "names the gateway" in done.stderr
    assert "8400" in done.stderr


def test_interrupted_in_the_middle(lockgate, work, tmp_path):
    """Ctrl-C during a submission: one word, exit status 130, nothing half-made; the same again works."""
    words = [
        sys.executable,
        "-m",
        "lockgate.cli.main",
        "submit",
        str(work / "model.joblib"),
        "--name",
        "late",
    ]
    words += ["--train", str(work / "train.parquet"), "--target", "churned"]
    with subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, env=environment(tmp_path / "home"), cwd=tmp_path
    ) as running:
        for line in running.stderr:
            if "looking at the model" in line or "compiling" in line:
                break
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
        assert "Traceback" not in running.stderr.read()
    assert lockgate("model", "show", "late").returncode == 4
    assert "late/1 is sealed" in ok(lockgate(*words[3:]))
