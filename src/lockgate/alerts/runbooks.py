"""What each kind of alert means, what to do, and how it ends: for the console, and word by word in docs/alerts.md."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.alerts.rules import RULES
from lockgate.config_alerts import AlertKind

K = AlertKind


@dataclass(frozen=True)
class Runbook:
    """One page: what it means, the steps in order, how it is over."""

    means: str
    steps: tuple[str, ...]
    over: str


RUNBOOKS: dict[AlertKind, Runbook] = {
    K.ROLLED_BACK: Runbook(
        "A new version did harm, or seemed to, and the previous one answers every request again. Callers are safe now.",
        (
            "Open the release's page: the guard that fired stands on top, with its evidence.",
            "`lockgate log MODEL --version N --where 'status >= 500'` shows what failed.",
            "Mend the model or the data, submit it as a new version; the checks and the shadow run again.",
        ),
        "It is over when a newer release of the model starts, when a person resolves it, or after seven days.",
    ),
    K.RELEASE_HELD: Runbook(
        "A release stopped where it was: its share of callers stays, its guards stay armed. It does not go on by itself.",
        (
            "Read why on the release's page.",
            "`lockgate resume MODEL` lets it go on; after a guard's alarm two people must say so.",
            "`lockgate rollback MODEL` takes it back.",
        ),
        "It is over when the release goes on or ends.",
    ),
    K.APPROVAL_WAITS: Runbook(
        "Checks and shadow are done, and the model's tier wants a person's yes. Until then the release waits.",
        (
            "Read the findings and the shadow verdict on the release's page.",
            "`lockgate approve MODEL`, or `lockgate reject MODEL`.",
        ),
        "It is over when somebody decided. A remark at first, after three days a warning.",
    ),
    K.SHADOW_BEHIND: Runbook(
        "The shadow scores requests long after live answered them, so the release takes longer. Callers notice nothing.",
        (
            "`lockgate top`: is a processor or the memory at its end?",
            "Give the version more processes (`replicas`).",
            "Declare a sampling share in the release's settings: fewer requests are scored, and the verdict says so.",
        ),
        "It is over when the shadow has caught up.",
    ),
    K.REQUESTS_FAIL: Runbook(
        "The live version fails its callers more often than it was released with, or than it did itself at first: it raises, "
        "times out, has no room in its queue, or answers what its signature does not allow. Every request counts, of one "
        "business key one in a quarter of a minute; a version that is well raises a false alarm less than once a year.",
        (
            "`lockgate log MODEL --where 'status >= 500'` shows which requests fail, since when, and with which exception.",
            "All of them, or those of one caller or with one value? Then it is what comes in: ask whoever sends it.",
            "All at once: what changed on this machine or in what the model calls? `lockgate top`, `lockgate doctor`.",
            "`lockgate rollback MODEL` if the version before it answers such requests.",
        ),
        "It is over when its requests say twenty to one that no more of them fail than is tolerated, when another version is "
        "live, or when nobody asked it for a week. From 5 % on it is critical, below a warning.",
    ),
    K.ANSWERS_SLOW: Runbook(
        "More answers of the live version than are tolerated take longer than the goal says (`goal.p99_ms`, or `p99_limit_ms` of "
        "its release). Without a goal: longer than the version before it hardly ever took, or than twice what 99 % of its own "
        "answers took at first; nothing below 50 ms is slow then.",
        (
            "`lockgate top`: is a processor or the memory at its end, do requests wait, does something else run there?",
            "Give the version more processes (`replicas`), or the gateway more workers.",
            "Larger requests than before? `lockgate log MODEL --where 'latency_us > 100000'` shows the slow ones.",
            "If that is fast enough, state what is: `goal: {p99_ms: 200}` counts from the next release on.",
        ),
        "It is over when its answers say twenty to one that they are as fast as is tolerated, when another version is live, or "
        "when nobody asked it for a week.",
    ),
    K.DRIFT: Runbook(
        "What comes in, what is answered or what comes true is no longer as it was at the validation, in a way that matters.",
        (
            "`lockgate drift MODEL`: which columns, since when, how much it matters.",
            "Ask whoever owns the first column named whether its source changed: often it is the pipe, not the world.",
            "Compare with labels if there are some (`lockgate performance MODEL`). Data can move and answers stay right.",
            "If the world changed: retrain on newer data and release the new version.",
        ),
        "It is over when the monitor sees it no more, or with a version that was validated on such data.",
    ),
    K.PERFORMANCE: Runbook(
        "With the labels that came, answers are worse than the validation promised.",
        (
            "`lockgate performance MODEL`: since when, in which slices, with which uncertainty.",
            "Worse in one slice: look at that slice's inputs. Worse everywhere at once: look for a broken pipe first.",
            "`lockgate rollback MODEL` if the previous version was better; else retrain.",
        ),
        "It is over when later windows are as promised again.",
    ),
    K.ESTIMATE: Runbook(
        "No labels are there yet, and by what its scores meant where labels are known, answers to the newest rows are clearly "
        "worse than the validation promised: the interval of the estimate lies wholly below. An estimate sees rows that are "
        "harder; it cannot see that equal rows mean something else now.",
        (
            "`lockgate performance MODEL`: the estimates with their intervals, and how often past ones held.",
            "`lockgate drift MODEL`: which columns moved, and how much they matter to the model.",
            "Get labels of some of these rows: `lockgate annotate select MODEL` picks the rows that tell most.",
        ),
        "It is over when labels come (its history says what they say; if they agree, `performance` is an alert of its own), or "
        "when later estimates are as promised.",
    ),
    K.LABELS_STOPPED: Runbook(
        "Labels came in a rhythm and come no more, or files and queries that bring them fail. Guards by labels, performance and "
        "calibration grow old.",
        (
            "Ask whoever hands them in.",
            "`lockgate labels import MODEL FILE` takes what was missed; late and repeated ones do no harm.",
        ),
        "It is over with the next labels, or when what brings them works again.",
    ),
    K.RETRAINING: Runbook(
        "A model should be trained again, and its data are not fit to learn from, or what came out is no better than what is "
        "live. Nothing has changed for callers; what it was for still holds.",
        (
            "`lockgate retrain show MODEL` says what it was for, what came of it, and when it is tried again.",
            "Where its data were refused: mend them, or add a version of them; it begins by itself then.",
            "Where it was in vain: other columns or another pipeline may help more than newer rows. `lockgate train MODEL`.",
        ),
        "It is over when a newer retraining begins, when a person resolves it, or after seven days.",
    ),
    K.MODEL_FAILS: Runbook(
        "A worker cannot load a version that it should serve, or the version's processes die one after the other.",
        (
            "Read the worker's log in `run/`: what the model printed stands there.",
            "`lockgate doctor` says what this machine lacks; `lockgate top` whether the memory is at its end.",
            "`lockgate rollback MODEL` if it is a new version that does so.",
        ),
        "It is over when the processes answer again.",
    ),
    K.PROCESS_DIES: Runbook(
        "A process of lockgate died several times within ten minutes. It is started again each time, so requests are answered.",
        (
            "Read its last words: `run/NAME.log`.",
            "`signal SIGKILL` is most often the kernel, out of memory: see `lockgate top`.",
            "Report it, if it is a defect.",
        ),
        "It is over when it has lived for fifteen minutes.",
    ),
    K.GATEWAY_SILENT: Runbook(
        "A gateway worker, here or on another host, stopped speaking without having stopped in good order.",
        (
            "`lockgate status` names it.",
            "Another host: is the machine up, is the way to it? It serves its last plan meanwhile, live only.",
            "Here: its log in `run/`.",
        ),
        "It is over when it speaks again, or when a person resolves it because the host is gone for good.",
    ),
    K.LOG_GAP: Runbook(
        "Requests were answered without a record, because nothing could be written. They cannot be shown, labelled or replayed.",
        (
            "Make room on the disk of the home folder.",
            "`lockgate log check` lists the gaps, which are themselves on record.",
            "`log: strict` refuses requests instead, where a record matters more than an answer.",
        ),
        "It is over when the worker is started again, or when a person resolves it; it opens again when the gap grows.",
    ),
    K.LOG_BEHIND: Runbook(
        "A reader of the prediction log is far behind. The log keeps what it has not read, so the disk fills.",
        (
            "`lockgate status`: does its process run?",
            "For `events`: does the receiver take what it is sent?",
            "Too much for one process: see `lockgate top`.",
        ),
        "It is over when the reader has caught up.",
    ),
    K.DISK_FULL: Runbook(
        "Little room is left. When none is, the gateway answers without records (or refuses, where `log: strict` is set).",
        (
            "`lockgate environments remove` takes away environments that nothing uses.",
            "Keep records for fewer days (`log.keep_days`).",
            "Put archive and packages on S3 (`blobs`).",
        ),
        "It is over when there has been more room for five minutes. Below one gigabyte it is critical.",
    ),
    K.ARCHIVE_AWAY: Runbook(
        "Ended pieces of the log cannot be put into the archive. Nothing is lost: they stay in files of this machine.",
        (
            "The reason stands in the alert.",
            "See that the store of `blobs` can be reached and its key is right.",
            "Watch the disk meanwhile.",
        ),
        "It is over with the next pass that works.",
    ),
    K.DATABASE_AWAY: Runbook(
        "The metadata database cannot be used. The gateway serves on; releases do not move, except that failing canaries are "
        "still taken out on each host.",
        (
            "Start the database, or see that its address in `config.yaml` is right.",
            "SQLite: is the disk full or read-only?",
        ),
        "It is over when it answers. The alert is told from a file meanwhile and entered afterwards.",
    ),
    K.HOST_KEYS_LOST: Runbook(
        "A gateway host sent personal inputs that it had sealed for another control plane. Nobody here can open them, ever.",
        (
            "Find out which control plane the host followed before: it can.",
            "The records are here without those inputs.",
        ),
        "It is over when a person resolves it, or after seven days.",
    ),
    K.CERTIFICATE: Runbook(
        "The gateway's certificate runs out soon. From then on callers refuse to speak to it.",
        (
            "Put the renewed certificate and key in place of the files that `gateway.tls` names.",
            "Send SIGUSR1 to `lockgate up`: workers are replaced one after the other, no request is refused.",
        ),
        "It is over when the file holds a certificate that lasts. In the last week it is critical.",
    ),
    K.MONITOR_FAILS: Runbook(
        "Something that should watch for trouble fails itself. Alerts of its kind stay as they are and new ones may be missed.",
        ("Read `alerts.log` in `run/`.", "Report it: it is most likely a defect."),
        "It is over when the look works again.",
    ),
    K.SINK_AWAY: Runbook(
        "An address that should be told of alerts takes none. What it should hear waits for it, in order.",
        (
            "Correct its address or secret in `config.yaml` and start `lockgate up` again.",
            "`lockgate alerts test NAME` tries it at once.",
        ),
        "It is over when everything is delivered; what was refused for good, when a person resolves it.",
    ),
}


def as_markdown() -> str:
    """Every runbook as a section, for the documentation."""
    parts = []
    for kind, page in RUNBOOKS.items():
        steps = "\n".join(f"{number}. {step}" for number, step in enumerate(page.steps, start=1))
        parts.append(f"### {kind}\n\n**{RULES[kind].title}.** {page.means}\n\n{steps}\n\n{page.over}\n")
    return "\n".join(parts)
