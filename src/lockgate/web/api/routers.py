"""Every group of addresses of the JSON API."""

from __future__ import annotations

from fastapi import APIRouter

from lockgate.annotation.batches import Batch, Item
from lockgate.annotation.guide import Guide
from lockgate.checks.store import Validation
from lockgate.checks.suite import Planned
from lockgate.datasets.diff import TableDiff
from lockgate.datasets.versions import DataSet, DataSettings, DataVersion
from lockgate.governance.audit import AuditRow
from lockgate.governance.keys import KeyRow
from lockgate.governance.people import Grant, Person
from lockgate.governance.policy import PolicyVersion
from lockgate.governance.standing import StandingApproval
from lockgate.hosts import HostWord, Taken
from lockgate.monitor.notices import Said
from lockgate.pipelines.run import Run
from lockgate.predictions.label_import import Imported
from lockgate.registry.leadtime import LeadTime
from lockgate.registry.search import Hit
from lockgate.registry.store import ModelRow, Version
from lockgate.release.contenders import Contender
from lockgate.release.phases import Release
from lockgate.release.promise import ReleasePlan
from lockgate.release.queue import Place
from lockgate.resources.use import Resources
from lockgate.retraining.retraining import Retraining
from lockgate.traffic import Plan
from lockgate.tuning.trial import SearchRow
from lockgate.web.api import (
    alerts,
    audit,
    box,
    contenders,
    data,
    erasures,
    findings,
    health,
    hosts,
    jobs,
    labelling,
    labels,
    logs,
    models,
    monitors,
    people,
    performance,
    policies,
    releases,
    resources,
    retraining,
    runs,
    searches,
    sessions,
    versions,
    work,
)
from lockgate.web.api.data import DataShown
from lockgate.web.api.models import ModelShown
from lockgate.web.api.people import KeyShown, Standing
from lockgate.web.api.releases import Acted
from lockgate.web.api.versions import VersionShown
from lockgate.web.jobs import Job
from lockgate.wiring.alerts_shown import AlertPage, AlertShown, SinkShown
from lockgate.wiring.annotation_files import TakenIn
from lockgate.wiring.annotation_work import BatchShown
from lockgate.wiring.comparing import Compared
from lockgate.wiring.contending import ContenderShown
from lockgate.wiring.drift_shown import DriftShown
from lockgate.wiring.erasing import Erased
from lockgate.wiring.inventory import ModelStanding, VersionLine
from lockgate.wiring.lineage import DataLineage, VersionLineage
from lockgate.wiring.performance import Coming, PerformanceShown
from lockgate.wiring.releasing import ReleaseShown
from lockgate.wiring.retrain_shown import RetrainShown
from lockgate.wiring.status import BoxStatus
from lockgate.wiring.tune import SearchShown
from lockgate.wiring.verdicts import ShadowShown

API: tuple[APIRouter, ...] = (
    health.router,
    sessions.router,
    people.router,
    policies.router,
    audit.router,
    box.router,
    alerts.router,
    resources.router,
    jobs.router,
    models.router,
    versions.router,
    findings.router,
    releases.router,
    contenders.router,
    work.router,
    logs.router,
    labels.router,
    monitors.router,
    performance.router,
    erasures.router,
    data.router,
    labelling.router,
    runs.router,
    retraining.router,
    searches.router,
    hosts.router,
)

# The kinds of answers, whose shapes OpenAPI describes.
KINDS: tuple[type, ...] = (
    Batch,
    BatchShown,
    Guide,
    Item,
    TakenIn,
    AlertPage,
    AlertShown,
    SinkShown,
    AuditRow,
    BoxStatus,
    Coming,
    Contender,
    ContenderShown,
    DataLineage,
    DataSet,
    DataSettings,
    DataShown,
    DataVersion,
    DriftShown,
    Erased,
    Grant,
    Hit,
    HostWord,
    Taken,
    Imported,
    Job,
    KeyRow,
    KeyShown,
    LeadTime,
    ShadowShown,
    ModelRow,
    ModelShown,
    ModelStanding,
    Person,
    Plan,
    Planned,
    PerformanceShown,
    PolicyVersion,
    Release,
    Run,
    SearchRow,
    SearchShown,
    Said,
    TableDiff,
    VersionLineage,
    ReleasePlan,
    Place,
    ReleaseShown,
    Resources,
    Retraining,
    RetrainShown,
    StandingApproval,
    Acted,
    Compared,
    Standing,
    Validation,
    Version,
    VersionLine,
    VersionShown,
)
