"""What is wrong with the box now: processes, workers, log, disk, archive, certificates, keys, addresses for alerts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from lockgate.alerts.alert import BOX, Cause
from lockgate.alerts.outbox import standings
from lockgate.clock import DAY_US, MINUTE_US, SECOND_US, iso
from lockgate.config_alerts import AlertKind, Severity
from lockgate.governance.audit import rows
from lockgate.late import late
from lockgate.membership import LEASE_S, LoadState, all_members
from lockgate.release.words import span
from lockgate.running import DEATHS, deaths_of
from lockgate.samples import gather
from lockgate.traffic import Plan
from lockgate.wiring.hosts import KEYS_LOST
from lockgate.wiring.looking import Ground
from lockgate.wiring.status import LEAST_FREE_BYTES, archiver_trouble, lags

if TYPE_CHECKING:
    from cryptography import x509
else:
    x509 = late("cryptography.x509")

DEATHS_US = 10 * MINUTE_US
SHARE_FREE = 0.1  # a small disk is not nearly full because a large one would be
URGENT_DAYS = 7
KEPT_US = 7 * DAY_US  # what happened once and is over for nobody is an alert for so long
GIGABYTE = 1e9


def deaths(_tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Processes that died several times within ten minutes, and were started again each time."""
    run = ground.house.home.run
    limit = ground.rules.of(AlertKind.PROCESS_DIES, BOX).limit
    for path in sorted(run.glob(f"*{DEATHS}")):
        name = path.name.removesuffix(DEATHS)
        late_ones = [death for death in deaths_of(run, name) if ground.now_us - death.at_us < DEATHS_US]
        if len(late_ones) >= limit:
            yield Cause(
                kind=AlertKind.PROCESS_DIES, subject=name, link="/resources",
                words=f"{name} died {len(late_ones)} times within ten minutes, last of {late_ones[-1].words}; "
                "it is started again each time.",
                next=f"read its last words: run/{name}.log in the home folder",
            )  # fmt: skip


def silent_workers(_tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Gateway workers that did not stop in good order and say nothing any more."""
    for member in all_members(ground.house.home.members):
        silent_s = (ground.now_us - member.beat_us) / SECOND_US
        if silent_s > LEASE_S:
            yield Cause(
                kind=AlertKind.GATEWAY_SILENT, subject=member.worker, link="/resources",
                words=f"Worker {member.worker} on {member.host} has said nothing since {iso(member.beat_us)[:19]} UTC.",
                next="see whether its machine and the way to it are up; lockgate status",
            )  # fmt: skip


def failing_models(_tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Versions that a worker cannot load, and model processes that pause after failures."""
    plan = ground.house.plan.latest()
    names = _names(plan)
    for member in all_members(ground.house.home.members):
        for digest, loaded in member.packages.items():
            if loaded.state is LoadState.FAILED:
                model, version = names.get(digest, (BOX, digest[:19]))
                yield Cause(
                    kind=AlertKind.MODEL_FAILS, model=model, subject=f"{version} in {member.worker}",
                    words=f"Worker {member.worker} cannot load {version}: {loaded.error}.", link=_model_page(model),
                    next=f"see {member.worker}.log in run/ of the home folder; lockgate doctor",
                )  # fmt: skip
    for sample in gather(ground.house.home.run, "", []):
        if (
            sample.name == "lockgate_runner_replicas"
            and sample.labels.get("state") == "pausing"
            and sample.value
        ):
            model, worker = sample.labels["model"], sample.labels["worker"]
            version = f"{model}/{sample.labels['version']}"
            yield Cause(
                kind=AlertKind.MODEL_FAILS, model=model, subject=f"{version} in {worker}", link=_model_page(model),
                words=f"{sample.value:.0f} of its processes in {worker} failed several times in a row and pause.",
                next=f"lockgate log {model} --where 'status >= 500' shows what failed; {worker}.log what the model printed",
            )  # fmt: skip


def gaps(_tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Workers that answered requests without a record since they were started."""
    for member in all_members(ground.house.home.members):
        if member.log_gap:
            yield Cause(
                kind=AlertKind.LOG_GAP, subject=member.worker, link="/resources", level=float(member.log_gap),
                words=f"{member.worker} answered {member.log_gap} requests without a record: its disk was full or failed.",
                next="make room on the disk; the gap itself is on record (lockgate log check)",
            )  # fmt: skip


def lagging_readers(tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Readers of the log that are far behind; the log keeps what they have not read."""
    limit = ground.rules.of(AlertKind.LOG_BEHIND, BOX).limit
    for reader in lags(tx, ground.house):
        behind = reader.behind_bytes / GIGABYTE
        if behind > limit:
            yield Cause(
                kind=AlertKind.LOG_BEHIND, subject=reader.name, link="/resources", level=behind // limit,
                words=f"{reader.name} has still to read {behind:.1f} GB of the prediction log, which is kept until it has.",
                next="see whether its process runs (lockgate status) and what its log in run/ says",
            )  # fmt: skip


def disks(_tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Disks of home and log with little room. Below one gigabyte the gateway is about to lose records."""
    limit = ground.rules.of(AlertKind.DISK_FULL, BOX).limit * GIGABYTE
    seen: set[int] = set()
    for place in (ground.house.home.root, ground.house.home.log):
        device = place.stat().st_dev
        usage = shutil.disk_usage(place)
        if device in seen or usage.free >= min(limit, SHARE_FREE * usage.total):
            continue
        seen.add(device)
        critical = usage.free < LEAST_FREE_BYTES
        yield Cause(
            kind=AlertKind.DISK_FULL, subject=f"the disk of {place.name}", link="/resources",
            words=f"{usage.free / GIGABYTE:.1f} GB of {usage.total / GIGABYTE:.0f} GB are free. When nothing is, "
            "requests are answered without a record.",
            next="lockgate environments remove, fewer days of records (log.keep_days), or a larger disk",
            severity=Severity.CRITICAL if critical else None,
        )  # fmt: skip


def archive(_tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """What keeps the archiver from its work."""
    trouble = archiver_trouble(ground.house.home)
    if trouble is not None:
        yield Cause(
            kind=AlertKind.ARCHIVE_AWAY, subject="the archive", link="/resources",
            words=f"Nothing is archived now, records stay in files of this machine: {trouble.rstrip('.')}.",
            next="see that the store of 'blobs' in config.yaml can be reached and written",
        )  # fmt: skip


def certificates(_tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """The gateway's certificate, some weeks before it runs out."""
    tls = ground.house.config.gateway.tls
    if tls is None:
        return
    found = x509.load_pem_x509_certificate(Path(tls.certificate).read_bytes())
    now = datetime.fromtimestamp(ground.now_us / SECOND_US, UTC)
    left_s = (found.not_valid_after_utc - now).total_seconds()
    left_days = left_s / (DAY_US / SECOND_US)
    if left_days >= ground.rules.of(AlertKind.CERTIFICATE, BOX).limit:
        return
    words = f"It runs out in {span(left_s)}" if left_s > 0 else "It has run out"
    yield Cause(
        kind=AlertKind.CERTIFICATE, subject="the gateway's certificate", level=-left_days // 1,
        words=f"{words}, on {found.not_valid_after_utc:%Y-%m-%d %H:%M} UTC; callers refuse it from then on.",
        next="put the renewed files in place, then send SIGUSR1 to lockgate up: workers are replaced one after the other",
        severity=Severity.CRITICAL if left_days < URGENT_DAYS else None,
    )  # fmt: skip


def lost_keys(tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Far hosts that sent personal inputs sealed for another home: nobody can ever read those."""
    for row in rows(tx, action=KEYS_LOST, limit=100):
        if ground.now_us - row.at_us < KEPT_US:
            values = row.values
            yield Cause(
                kind=AlertKind.HOST_KEYS_LOST, subject=f"{row.subject}, segment {values['segment']}",
                words=f"{values['lost']} of {values['keys']} keys that host {row.subject} sent were sealed for another home: "
                "those personal inputs stay closed for ever.",
                next="see which control plane that host followed before; the records themselves are here",
            )  # fmt: skip


def silent_sinks(tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Addresses that take no alerts."""
    for sink in standings(tx, ground.house.config.alerts.sinks):
        step = f"correct it in config.yaml, start lockgate up again, then lockgate alerts test {sink.name}"
        if sink.trouble is not None:
            yield Cause(
                kind=AlertKind.SINK_AWAY, subject=sink.name, next=step, link="/alerts",
                words=f"{sink.waiting} messages wait: {sink.trouble}. Nothing is lost.",
            )  # fmt: skip
        if sink.refused:  # for ever, so an alert of its own: it must not hide that the address is away again
            yield Cause(
                kind=AlertKind.SINK_AWAY, subject=f"{sink.name}, refused", next=step, link="/alerts",
                words=f"{sink.refused} messages were refused for good.", level=float(sink.refused),
            )  # fmt: skip


def _names(plan: Plan) -> dict[str, tuple[str, str]]:
    return {
        arm.digest: (route.model, f"{route.model}/{arm.version}")
        for route in plan.routes.values()
        for arm in route.arms
    }


def _model_page(model: str) -> str:
    return "/" if model == BOX else f"/models/{model}"
