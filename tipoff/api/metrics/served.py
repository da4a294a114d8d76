"""What this process has served: counted in the event loop, by one thread, without locks."""

from __future__ import annotations

import bisect
import collections
import functools
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from starlette.routing import BaseRoute
from starlette.types import Scope

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""upper bounds in seconds"""
METHODS = {"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "WEBSOCKET"}
STREAMS = ("/api/events", "/api/ws")
"""answers that last as long as the client wants"""
UNMATCHED, OTHER = "unmatched", "OTHER"
GONE = 499
"""status of a request whose client went away before there was an answer"""


class Served:
    """Requests by method, route and status, and how long they took."""

    def __init__(self) -> None:
        self._requests: collections.Counter[tuple[str, str, int]] = collections.Counter()
        self._durations: dict[str, list[int]] = {}
        self._seconds: collections.defaultdict[str, float] = collections.defaultdict(float)
        self._route_of = functools.lru_cache(4096)(self._matching)
        self._routes: Sequence[BaseRoute] = ()

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one that has ended."""
        route = self._route(scope)
        method = scope.get("method", "WEBSOCKET")
        self._requests[method if method in METHODS else OTHER, route, status or GONE] += 1
        if route not in STREAMS:
            if route not in self._durations:
                self._durations[route] = [0] * (len(BUCKETS) + 1)
            self._durations[route][bisect.bisect_left(BUCKETS, seconds)] += 1
            self._seconds[route] += seconds

    def _route(self, scope: Scope) -> str:
        """The template of its path: there are few of them, whatever is asked."""
        if (route := scope.get("route")) is not None:
            return str(route.path_format)
        self._routes = scope["app"].routes
        return self._route_of(scope["path"])

    def _matching(self, path: str) -> str:
        for route in self._routes:
            if route.path_regex.match(path):  # type: ignore[attr-defined]
                return str(getattr(route, "path_format", UNMATCHED)).removesuffix("/{path}")
        return UNMATCHED

    def families(self) -> Iterator[Metric]:
        """As Prometheus reads it."""
        requests = CounterMetricFamily(
            "tipoff_http_requests", "Requests and WebSockets that have ended.", labels=("method", "route", "status")
        )
        for (method, route, status), number in self._requests.items():
            requests.add_metric((method, route, str(status)), number)
        yield requests
        limited = sum(number for (_, _, status), number in self._requests.items() if status == 429)
        yield CounterMetricFamily("tipoff_http_rate_limited", "Requests refused for their number (429).", limited)
        durations = HistogramMetricFamily(
            "tipoff_http_request_duration_seconds", "From request to answer; streams excepted.", labels=("route",)
        )
        for route, counts in self._durations.items():
            bounds, below = [], 0
            for bound, number in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                below += number
                bounds.append((bound, float(below)))
            durations.add_metric((route,), bounds, self._seconds[route])
        yield durations
