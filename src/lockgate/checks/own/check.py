"""A validator's own check: a Python file, run once, confined, on the evidence; what it returns becomes findings.

The file defines `check(evidence)` and returns a dict or a list of dicts with the fields of a finding (`status`, `headline`,
`subject`, `advice`, `measure`, `threshold`, `table`, `blocking`). It reaches no key, no database, no network.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lockgate.checks.evidence import Evidence
from lockgate.checks.finding import Finding, Measure, Plot, Status, Table, Threshold
from lockgate.checks.own import inside
from lockgate.checks.running.folder import write_evidence
from lockgate.checks.suite import CHECKS
from lockgate.errors import InvalidInput
from lockgate.inference.workshop import Draft, open_draft
from lockgate.registry.manifest import Framework

MOST_BYTES = 1 << 20
TIME_S = 300.0
INSIDE = "lockgate_inside"
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_HELP = """def check(evidence): return {"status": "pass", "headline": "..."}"""


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One finding as the file returns it."""

    status: Status
    headline: str
    subject: str = ""
    advice: str = ""
    measure: Measure | None = None
    threshold: Threshold | None = None
    table: Table | None = None
    plot: Plot | None = None
    blocking: bool | None = None


def run_own(evidence: Evidence, name: str, source: bytes, *, memory_mb: int = 4096) -> list[Finding]:
    """What the file found; `name` is the check's. A failure blocks, unless the file says otherwise.

    Raises InvalidInput for a name that is taken or a file that cannot be, PredictionFailed with what the code raised,
    TimedOut.
    """
    refuse_source(name, source)
    with tempfile.TemporaryDirectory(prefix="lockgate-check-") as place:
        folder = Path(place)
        code = folder / "code"
        code.mkdir()
        (code / f"{name}.py").write_bytes(source)
        shutil.copy(inside.__file__, code / f"{INSIDE}.py")
        write_evidence(evidence, folder / "evidence")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        draft = Draft(folder=folder, framework=Framework.PYTHON, model_path="code", entry=f"{INSIDE}:check")
        with open_draft(draft, python=Path(sys.executable), memory_mb=memory_mb, timeout_s=TIME_S) as bench:
            answer = bench.predict({"module": np.array([name], dtype=object)})
    return _findings(name, str(answer["findings"][0]), digest_of_source(source))


def refuse_source(name: str, source: bytes) -> None:
    """Raise InvalidInput for what cannot be a check: wrong name, too long, no Python, no function `check`."""
    if not _NAME.fullmatch(name):
        raise InvalidInput("a check's name is its file's: lower-case letters, digits, _", got=name)
    if name in CHECKS:
        raise InvalidInput(f"'{name}' is a check of lockgate's own", fix="give the file another name")
    if len(source) > MOST_BYTES:
        raise InvalidInput("the file of a check is too long", got=len(source), allowed=MOST_BYTES)
    try:
        compile(source, f"{name}.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise InvalidInput(f"{name}.py is not Python", got=error, fix=_HELP) from error
    if not re.search(rb"^(async )?def check\(|^check\s*=", source, re.M):
        raise InvalidInput(f"{name}.py defines no function 'check'", fix=_HELP)


def digest_of_source(source: bytes) -> str:
    """`sha256:...` of a check's file, which stands in its findings."""
    return "sha256:" + sha256(source).hexdigest()


def _findings(name: str, text: str, source: str) -> list[Finding]:
    try:
        said = msgspec.json.decode(text, type=list[_Said])
    except msgspec.MsgspecError as error:
        raise InvalidInput(
            f"{name}.py returned what is no finding: {error}", got=text[:200], fix=_HELP
        ) from error
    if not said:
        said = [_Said(status=Status.PASS, headline="Nothing was found.")]
    return [_finding(name, each, source) for each in said]


def _finding(name: str, said: _Said, source: str) -> Finding:
    fields: dict[str, Any] = {key: getattr(said, key) for key in said.__struct_fields__ if key != "blocking"}
    blocks = said.status is Status.FAIL if said.blocking is None else said.blocking
    return Finding(**{**fields, "subject": said.subject or name}, check=name, blocking=blocks, source=source)
