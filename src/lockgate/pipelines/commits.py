"""Whether a model may be trained on code of this commit: its own settings say."""

from __future__ import annotations

from lockgate.config import ModelConfig
from lockgate.declared import CommitRule
from lockgate.errors import Conflict
from lockgate.packing.commit import DIRTY, NONE_KNOWN


def hold_commit(settings: ModelConfig, commit: str | None, *, of: str, why: str = "") -> None:
    """Raise Conflict for code that a model's own `commit:` does not allow: in no commit, or with changes beside it."""
    rule = settings.commit
    unknown, dirty = commit is None, commit is not None and commit.endswith(DIRTY)
    if rule in (None, CommitRule.ANY) or not (unknown or (dirty and rule is CommitRule.CLEAN)):
        return
    raise Conflict(
        f"'{of}' is trained on code of a commit only", got=f"{commit or NONE_KNOWN}{why and f': {why}'}",
        allowed="a clean tree" if rule is CommitRule.CLEAN else "the commit is known",
        fix="git init, add and commit the project; or let lockgate.yaml ask less (commit: any)" if unknown else
            "git commit what changed; or let lockgate.yaml ask less (commit: known)",
    )  # fmt: skip
