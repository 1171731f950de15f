"""The control plane's application: JSON API under `/api`, the console's pages beside it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from lockgate.errors import LockgateError
from lockgate.web.answers import TOO_LARGE, refused
from lockgate.web.api.routers import API, KINDS
from lockgate.web.guards import MEGABYTE, Guards
from lockgate.web.jobs import Jobs
from lockgate.web.pages.routers import PAGES
from lockgate.web.pages.shell import astray
from lockgate.web.sessions import Signer
from lockgate.web.shapes import components
from lockgate.wiring.house import House

STATIC = Path(__file__).parent / "static"


def create_app(house: House) -> FastAPI:
    """The application on an open house. The caller closes `app.state.jobs` and the house."""
    app = FastAPI(
        title="lockgate",
        version=version("lockgate"),
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.house = house
    app.state.signer = Signer(house.home)
    app.state.jobs = Jobs(house.clock, house.home.run / "jobs")
    for kind in (LockgateError, RequestValidationError, *TOO_LARGE):
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(HTTPException, astray)
    for router in API:
        app.include_router(router, prefix="/api")
    for router in PAGES:
        app.include_router(router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Guards, max_upload_bytes=round(house.config.console.max_upload_mb * MEGABYTE))
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's description with the shapes of our own types; wrong requests get 400 here, not 422."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        for methods in schema["paths"].values():
            for route in methods.values():
                if route["responses"].get("422", {}).get("description") == "Validation Error":
                    del route["responses"]["422"]
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas.update(components(KINDS))
        app.openapi_schema = schema
    return app.openapi_schema
