"""The one place that wires the API and the dashboard."""

from __future__ import annotations

import contextlib
import copy
import multiprocessing
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

import tipoff
from tipoff import logs
from tipoff.api import docs, problems, stopping
from tipoff.api.alerts.routes import routes as alerts
from tipoff.api.backend import Backend
from tipoff.api.front import Front
from tipoff.api.health.routes import Looks
from tipoff.api.health.routes import routes as health
from tipoff.api.jobs.routes import routes as jobs
from tipoff.api.keys.routes import routes as keys
from tipoff.api.ledger.routes import routes as ledger
from tipoff.api.live.hub import Hub
from tipoff.api.live.routes import routes as live
from tipoff.api.matches.routes import routes as matches
from tipoff.api.metrics.routes import Metrics
from tipoff.api.models.routes import routes as models
from tipoff.api.odds.routes import routes as odds
from tipoff.api.players.routes import routes as players
from tipoff.api.predictions.routes import routes as predictions
from tipoff.api.record.routes import routes as record
from tipoff.api.schedules.routes import routes as schedules
from tipoff.api.system.routes import routes as system
from tipoff.api.teams.routes import routes as teams
from tipoff.api.watcher import Watcher
from tipoff.api.webhooks.routes import routes as webhooks
from tipoff.errors import SettingsError
from tipoff.health.settings import read_health_settings
from tipoff.jobs.beside import WorkerBeside
from tipoff.pipeline.monitoring import monitor_of, rescue_of
from tipoff.settings import Settings
from tipoff.web.site import Site

DESCRIPTION = """Forecasts for NBA 2K eSports matches: calibrated, sealed before the start, graded in public.

Everybody may read (unless the operator decided otherwise); what changes anything needs a key:
`Authorization: Bearer <key>` or `X-API-Key`. Errors are problem details (RFC 9457), lists are keyset pages, times are
UTC, POST takes an `Idempotency-Key`, GET answers with an ETag."""
EXPOSED = [
    "ETag", "Location", "Link", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After",
    "X-Request-ID", "Age", "Warning", "Deprecation",
]  # fmt: skip


def create_app(settings: Settings) -> FastAPI:
    """API and dashboard as an ASGI application; the database is looked for once it starts."""
    logs.configure(settings.secrets(), settings.log)
    backend = Backend(settings)
    site = Site(backend)
    hub = Hub(backend)
    watcher = Watcher(backend, hub)
    monitor = monitor_of(settings, read_health_settings(), backend.waiting, rescue_of(settings), backend.jobs.deliver)

    beside = worker_beside(settings, backend)

    def told_to_stop() -> None:
        backend.stopping.set()
        hub.end()
        if beside is not None:
            beside.tell()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if "*" in settings.cors_origins:
            backend.log.warning("CORS_ORIGINS lets every page read the API", credentials=False)
        hub.start()
        backend.start()
        watcher.start()
        monitor.start()
        if beside is not None:
            beside.start()
        restore = stopping.when_asked_to_stop(told_to_stop)
        try:
            yield
        finally:
            restore()
            if beside is not None:
                beside.stop()
            monitor.stop()
            watcher.stop()
            hub.stop()
            backend.stop()

    app = FastAPIOffline(
        title="Tipoff", version=tipoff.__version__, description=DESCRIPTION, docs_url="/api/docs",
        redoc_url="/api/redoc", openapi_url="/api/openapi.json", static_url="/api/docs-files", lifespan=lifespan,
        redirect_slashes=False, separate_input_output_schemas=False,
        middleware=[
            *_cors(settings),
            Middleware(GZipMiddleware, minimum_size=512),
            Middleware(Front, backend=backend, shown=site.shown),
            Middleware(docs.Policy),
        ],
    )  # fmt: skip
    app.state.backend, app.state.hub, app.state.looks = backend, hub, Looks(monitor)
    app.state.told_to_stop = told_to_stop
    problems.install(app)
    for routes in (
        matches, players, teams, predictions, odds, models, record, ledger, jobs, schedules, live, system, health,
        alerts, webhooks, keys,
    ):  # fmt: skip
        app.router.routes.extend(routes.routes)  # include_router would match each request twice
    app.router.routes.append(Metrics(backend, hub).route)
    site.install(app)
    generate = app.openapi
    app.openapi = lambda: _documented(app, generate)  # type: ignore[method-assign]
    return app


def worker_beside(settings: Settings, backend: Backend) -> WorkerBeside | None:
    """The worker of one-service mode; raises SettingsError where this is one of several web processes."""
    if not settings.one_service:
        return None
    if multiprocessing.parent_process() is not None:
        raise SettingsError(
            ["TIPOFF_ONE_SERVICE runs one worker beside one web process: start uvicorn without --workers"]
        )
    return WorkerBeside(backend.seen)


def _cors(settings: Settings) -> list[Middleware]:
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "X-API-Key", "Content-Type", "Idempotency-Key", "X-Request-ID"],
            expose_headers=EXPOSED, allow_credentials=False, max_age=3600,
        )
    ]  # fmt: skip


def _documented(app: FastAPI, generate: Any) -> dict[str, Any]:
    """The OpenAPI document: problems under their own media type, and the two ways to send a key."""
    if app.openapi_schema is None:
        app.openapi_schema = docs.finished(copy.deepcopy(generate()))
    return app.openapi_schema
