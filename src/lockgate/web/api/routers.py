"""Every group of addresses of the JSON API."""

from __future__ import annotations

from fastapi import APIRouter

from lockgate.governance.audit import AuditRow
from lockgate.governance.keys import KeyRow
from lockgate.governance.people import Grant, Person
from lockgate.governance.policy import PolicyVersion
from lockgate.web.api import audit, health, jobs, people, policies, sessions
from lockgate.web.api.people import KeyShown, Standing
from lockgate.web.jobs import Job

API: tuple[APIRouter, ...] = (
    health.router,
    sessions.router,
    people.router,
    policies.router,
    audit.router,
    jobs.router,
)

# The kinds of answers, whose shapes OpenAPI describes.
KINDS: tuple[type, ...] = (AuditRow, Grant, Job, KeyRow, KeyShown, Person, PolicyVersion, Standing)
