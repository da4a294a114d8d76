"""`GET /metrics`: who may read it, how fresh it is, and in which of Prometheus's formats it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import psycopg
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import tipoff
from tipoff.api.access import given_key, hashed, refused
from tipoff.api.admission import Admission
from tipoff.api.backend import Backend
from tipoff.api.live.hub import Hub
from tipoff.api.metrics import families
from tipoff.api.metrics.trust import GoodKeys
from tipoff.api.problems import AwayError, ProblemError
from tipoff.storage import metrics
from tipoff.storage.metrics import Figures

PATH = "/metrics"
FRESH = 5.0
"""seconds for which the figures of the database are shown again"""
PLAIN = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One for a process: asks the database at most once at a time and every few seconds, and never waits for it."""

    def __init__(self, backend: Backend, hub: Hub) -> None:
        self._backend, self._hub = backend, hub
        self._admission = Admission(backend)
        self._process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._process)
        self._found: Figures | None = None
        self._asked = -1e9
        self._turn = asyncio.Lock()
        self._good = GoodKeys()

    @property
    def route(self) -> Route:
        """Where it is served."""
        return Route(PATH, self._answer, methods=["GET"], include_in_schema=False)

    async def _answer(self, request: Request) -> Response:
        if not self._backend.settings.metrics_are_open:
            await self._allowed(request)
        found = await self._figures()
        try:
            encode, kind = choose_encoder(request.headers.get("accept", ""))
        except (TypeError, ValueError):  # a version that is no number
            encode, kind = generate_latest, PLAIN
        body = encode(_Collected(self._families(found)))
        return Response(body, headers={"Content-Type": kind, "Cache-Control": "no-store"})

    def _families(self, found: Figures | None) -> list[Metric]:
        backend = self._backend
        mine = families.of_process(
            backend.pool_stats(), self._hub.streams(), tipoff.__version__, up=backend.away is None,
            current=found is not None,
        )  # fmt: skip
        of_database = families.of_figures(found) if found is not None else ()
        return [*mine, *backend.served.families(), *of_database, *self._process.collect()]

    async def _figures(self) -> Figures | None:
        """Those of just now; None where the database cannot be asked."""
        async with self._turn:
            if self._backend.away is not None:
                self._found, self._asked = None, -1e9
            elif time.monotonic() - self._asked > FRESH:
                self._asked = time.monotonic()
                self._found = await run_in_threadpool(self._ask)
            return self._found

    def _ask(self) -> Figures | None:
        try:
            with self._backend.connection() as connection:
                return metrics.figures(connection)
        except (AwayError, psycopg.Error) as error:
            self._backend.log.warning("the figures of /metrics cannot be asked for", error=type(error).__name__)
            return None

    async def _allowed(self, request: Request) -> None:
        """Raise ProblemError unless a key that may read is sent."""
        headers = dict(reversed(request.scope["headers"]))
        key = given_key(headers) or ""
        try:
            principal = await self._admission.admit(request.scope, headers)
        except ProblemError as problem:
            if problem.status == 503 and self._good.counts(hashed(key), time.monotonic()):
                return
            raise
        if principal.scope is None:
            raise refused("this needs a key with the scope read: send Authorization: Bearer <key>")
        self._good.saw(hashed(key), time.monotonic())


class _Collected(CollectorRegistry):
    """Families that were collected already."""

    def __init__(self, collected: Iterable[Metric]) -> None:
        super().__init__()
        self._collected = collected

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._collected
