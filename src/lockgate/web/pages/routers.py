"""The console's pages, in the order of its navigation."""

from __future__ import annotations

from fastapi import APIRouter

from lockgate.web.pages import (
    alerts,
    audits,
    checking,
    drift,
    inventory,
    logs,
    models,
    people,
    performance,
    releases,
    resources,
    sign_in,
    versions,
)

PAGES: tuple[APIRouter, ...] = (
    sign_in.router,
    inventory.router,
    models.router,
    versions.router,
    checking.router,
    releases.router,
    drift.router,
    performance.router,
    alerts.router,
    resources.router,
    logs.router,
    audits.router,
    people.router,
)
