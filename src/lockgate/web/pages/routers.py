"""The console's pages, in the order of its navigation."""

from __future__ import annotations

from fastapi import APIRouter

from lockgate.web.pages import (
    alerts,
    annotation,
    audits,
    checking,
    contenders,
    data,
    drift,
    inventory,
    logs,
    models,
    people,
    performance,
    releases,
    resources,
    runs,
    searches,
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
    searches.router,
    contenders.router,
    alerts.router,
    runs.router,
    data.router,
    resources.router,
    annotation.router,
    logs.router,
    audits.router,
    people.router,
)
