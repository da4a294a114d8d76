"""What the API is compared with: bare Starlette and psycopg, the same queries and JSON, nothing else.

Asynchronous handlers, an open pool of the same size, no transactions, statements prepared by psycopg: no key, limit,
log line, ETag, cache, deadline or check of connections.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import os
from collections.abc import AsyncIterator
from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tipoff.api.backend import POOL
from tipoff.domain.job import JOB_COLUMNS, JOB_NAMES, STEP_COLUMNS, STEP_NAMES
from tipoff.storage.browse import PLAYED

MATCH = f"select {PLAYED} from matches where external_id = %s"
SEALS = """
select p.ledger_seq, l.hash, p.horizon, p.start_at, p.sealed_at, p.model_sha256, p.p_a, p.margin_mean, p.margin_sd,
  p.total_mean, p.total_sd, g.seq, (g.content::jsonb) -> 'body'
from match_predictions p join ledger l on l.seq = p.ledger_seq
left join lateral (
  select seq, content from ledger where kind = 'grade' and grades = p.ledger_seq order by seq desc limit 1
) g on true
where p.external_id = any(%s) order by p.ledger_seq
"""
HISTORY = (
    "select observed_at, status, score_a, score_b, start_at from match_arrivals where external_id = %s "
    "order by arrival_id limit 100"
)
LIST = f"select {PLAYED} from matches where {{}} order by start_at desc, external_id desc limit %s"
JOB = f"select {JOB_COLUMNS} from job_queue where id = %s"
STEPS = f"select {STEP_COLUMNS} from pipeline_jobs where job_id = %s order by position"
MATCH_NAMES = (
    "external_id", "start", "player_a", "player_b", "team_a", "team_b", "stream", "status", "score_a", "score_b",
    "observed_at",
)  # fmt: skip
SEAL_NAMES = (
    "row", "hash", "horizon", "start", "sealed_at", "model", "p_a", "margin_mean", "margin_sd", "total_mean",
    "total_sd",
)  # fmt: skip
HISTORY_NAMES = ("observed_at", "status", "score_a", "score_b", "start")
SAME = (
    "status", "progress", "message", "attempt", "max_attempts", "requested_by", "created_at", "started_at",
    "finished_at", "priority", "worker", "parent", "run_after", "cancel_requested_at", "result", "error",
)  # fmt: skip

Connection = AsyncConnection[tuple[Any, ...]]


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value, option=orjson.OPT_UTC_Z), status, media_type="application/json")


def _seal(row: tuple[Any, ...]) -> dict[str, Any]:
    number, body = row[-2:]
    grade = None if body is None else {"row": number, "status": body["status"], "scores": body.get("scores")}
    return {**dict(zip(SEAL_NAMES, row, strict=False)), "grade": grade}


async def _rows(connection: Connection, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query.encode(), values)).fetchall()


async def match(request: Request) -> Response:
    """A match that is over, with its seals, grades and history: three queries."""
    external_id = request.path_params["external_id"]
    async with request.app.state.pool.connection() as connection:
        found = await _rows(connection, MATCH, (external_id,))
        if not found:
            return _json({"detail": "there is no match with that id"}, 404)
        seals = await _rows(connection, SEALS, ([external_id],))
        history = await _rows(connection, HISTORY, (external_id,))
    return _json({
        **dict(zip(MATCH_NAMES, found[0], strict=True)), "forecast": None, "as_of": None, "model_version": None,
        "seals": [_seal(row) for row in seals],
        "history": [dict(zip(HISTORY_NAMES, row, strict=True)) for row in history],
    })  # fmt: skip


async def matches(request: Request) -> Response:
    """A page of matches, newest first: one query."""
    limit, until = int(request.query_params.get("limit", "50")), request.query_params.get("to")
    query = LIST.format("start_at < %s" if until else "true")
    values = (dt.datetime.fromisoformat(until), limit + 1) if until else (limit + 1,)
    async with request.app.state.pool.connection() as connection:
        found = await _rows(connection, query, values)
    items = [dict(zip(MATCH_NAMES, row, strict=True)) for row in found[:limit]]
    cursor = None
    if len(found) > limit:
        last = orjson.dumps([items[-1]["start"], items[-1]["external_id"]])
        cursor = base64.urlsafe_b64encode(last).decode().rstrip("=")
    return _json({"items": items, "next_cursor": cursor})


async def job(request: Request) -> Response:
    """A job with its steps: two queries."""
    job_id = request.path_params["job_id"]
    async with request.app.state.pool.connection() as connection:
        found = await _rows(connection, JOB, (job_id,))
        if not found:
            return _json({"detail": "there is no such job"}, 404)
        steps = await _rows(connection, STEPS, (job_id,))
    row = dict(zip(JOB_NAMES, found[0], strict=True))
    begun, ended = row["started_at"], row["finished_at"]
    return _json({
        "job_id": row["id"], "job_type": row["type"], "configuration": row["params"],
        "seconds": (ended - begun).total_seconds() if begun and ended else None,
        **{name: row[name] for name in SAME}, "steps": [dict(zip(STEP_NAMES, step, strict=True)) for step in steps],
    })  # fmt: skip


@contextlib.asynccontextmanager
async def _lifespan(started: Starlette) -> AsyncIterator[None]:
    async with AsyncConnectionPool(
        os.environ["DATABASE_URL"], min_size=POOL, max_size=POOL,
        kwargs={"autocommit": True, "options": "-c timezone=UTC"},
    ) as pool:  # fmt: skip
        started.state.pool = pool
        yield


app = Starlette(
    routes=[
        Route("/api/matches", matches), Route("/api/matches/{external_id}", match),
        Route("/api/jobs/{job_id:uuid}", job),
    ],
    lifespan=_lifespan,
)  # fmt: skip
