"""What the Python API returns: a few words for people, and the whole answer as `.json` or by its keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lockgate.clock import SystemClock

MOST_HEADLINES = 5


@dataclass(frozen=True, repr=False)
class Answer(Mapping[str, Any]):
    """An answer of lockgate. `json`: the whole of it; its keys can be asked for directly."""

    json: dict[str, Any] = field(hash=False)

    def __getitem__(self, key: str) -> Any:
        return self.json[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.json)

    def __len__(self) -> int:
        return len(self.json)


class SubmittedVersion(Answer):
    """A sealed version."""

    @property
    def name(self) -> str:
        """`churn/3`."""
        return f"{self.json['version']['model']}/{self.json['version']['number']}"

    @property
    def digest(self) -> str:
        """The package's: `sha256:...`."""
        return str(self.json["version"]["digest"])

    @property
    def new(self) -> bool:
        """False: the same package was sealed before."""
        return bool(self.json["new"])

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was noticed on the way, in words."""
        return tuple(self.json["remarks"])

    @property
    def compiled(self) -> bool:
        """Whether it is served as ONNX, with proven parity; else as the Python model."""
        return bool(self.json["version"]["manifest"]["compiled"].get("path"))

    @property
    def next(self) -> str:
        """What to call now."""
        return f'lockgate.validate("{self.name}")'

    def __repr__(self) -> str:
        reason = self.json["version"]["manifest"]["compiled"].get("reason")
        lines = [
            f"{self.name} {'is sealed' if self.new else 'was sealed before: the same package'}: {self.digest}",
            "compiled to ONNX with proven parity" if self.compiled else f"not compiled: {reason}",
            *(remark for remark in self.remarks if remark != reason),
            f"next: {self.next}",
        ]
        return "\n  ".join(lines)


class Validated(Answer):
    """A recorded validation."""

    @property
    def name(self) -> str:
        """`churn/3`."""
        return f"{self.json['model']}/{self.json['version']}"

    @property
    def counts(self) -> dict[str, int]:
        """Findings by status: `fail`, `warn`, `could_not_run`, `pass`."""
        return dict(Counter(str(finding["status"]) for finding in self.json["findings"]))

    @property
    def blocking(self) -> tuple[str, ...]:
        """The checks that keep the version from its release now: blocking, and not waived, or the waiver has lapsed."""
        return self.blocking_at(SystemClock().now_us())

    def blocking_at(self, now_us: int) -> tuple[str, ...]:
        """The same at another time, in microseconds since 1970."""
        ends = {waiver["check"]: waiver.get("until_us") for waiver in self.json.get("waivers", ())}
        waived = {check for check, until_us in ends.items() if until_us is None or now_us < until_us}
        found = (each["check"] for each in self.json["findings"] if each.get("blocking"))
        return tuple(dict.fromkeys(check for check in found if check not in waived))

    @property
    def headlines(self) -> tuple[str, ...]:
        """One sentence of each finding that did not pass, the worst first."""
        return tuple(each["headline"] for each in self.json["findings"] if each["status"] != "pass")

    def __repr__(self) -> str:
        counts = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in self.counts.items())
        shown = self.headlines[:MOST_HEADLINES]
        left = len(self.headlines) - len(shown)
        blocked = f"blocked by {', '.join(self.blocking)}" if self.blocking else ""
        goes_on = blocked or f'next: lockgate.start_release("{self.name}")'
        return "\n  ".join(
            [f"{self.name}: {counts}", *shown, *([f"and {left} more"] if left else []), goes_on]
        )


class BackTested(Answer):
    """What the past says of a version."""

    @property
    def worst(self) -> str:
        """The worst finding's status: `fail`, `warn`, `could_not_run` or `pass`."""
        return str(self.json["findings"][0]["status"])

    def __repr__(self) -> str:
        lines = [f"{each['status']}: {each['headline']}" for each in self.json["findings"][:MOST_HEADLINES]]
        return "\n".join(
            [f"{self.json['model']}/{self.json['version']} on {self.json['rows']} labelled rows", *lines]
        )


class TrainedVersion(Answer):
    """A run, and the version that it made."""

    @property
    def name(self) -> str | None:
        """`churn/3`; None when nothing was submitted."""
        version = self.json["version"]
        return f"{version['model']}/{version['number']}" if version else None

    @property
    def metrics(self) -> dict[str, float]:
        """What the pipeline measured."""
        return dict(self.json["run"]["metrics"])

    def __repr__(self) -> str:
        run = self.json["run"]
        steps = ", ".join(f"{step['name']} {step['state']}" for step in run["steps"])
        measured = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        made = f"{self.name} from run {run['id']}" if self.name else f"run {run['id']}, nothing submitted"
        return "\n  ".join([made, f"steps: {steps}", *([measured] if measured else []),
                            *([f'next: lockgate.validate("{self.name}")'] if self.name else [])])  # fmt: skip


class Reproduced(Answer):
    """A version built again, compared with the one on record."""

    @property
    def equal(self) -> str:
        """The strongest that holds: `bytes`, `predictions`, `metrics` or `nothing`."""
        return str(self.json["equal"])

    def __repr__(self) -> str:
        return "\n  ".join([f"{self.json['version']}: equal {self.equal}", *self.json["differences"]])
