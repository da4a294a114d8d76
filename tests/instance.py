"""An instance with something in every table, values included that are easily lost on the way to a file and back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg

from tests.integration.test_ingest import bring
from tests.integration.test_models import broken, challenger
from tests.simulated import simulate
from tests.wire import fixture, payload, row
from tipoff.jobs import schedule
from tipoff.jobs.service import JobService
from tipoff.pipeline.registry import submit
from tipoff.pipeline.seal import grade_known, seal_due
from tipoff.pipeline.state import bring_up_to_date
from tipoff.pipeline.statistics import refresh_statistics
from tipoff.pipeline.watch import refresh_performance, refresh_record
from tipoff.storage.artifacts import ArtifactStore
from tipoff.storage.pool import Pool

MINUTE = dt.timedelta(minutes=1)
HORIZONS = [30, 2]
STRANGE = 'a\\tab\t, a "quote", a line\nand another, a \\N, 🏀 and É'
ODD = (
    "insert into odds_quotes (external_id, bookmaker, market, line, price_over, price_under, quoted_at) values "
    "('SOON', 'Book', 'total', -0.0::float8, 1.0000000000000002, 1e300, '2026-03-01T00:00:00.000001Z'), "
    "('SOON', 'Book', 'spread', 'NaN', 'Infinity', 2, '2026-03-01T23:59:59.999999+13')",
    "insert into odds_waiting (external_id, bookmaker, market, line, price_over, price_under, quoted_at, reason, "
    "detail) values ('NOBODY', 'Book', 'total', 'NaN', 1.5, 'Infinity', now(), 'no_such_match', %(strange)s)",
    "insert into match_details (external_id, revision, tries, outcome, reason, asked_at, payload_id) "
    "select external_id, revision, 1, 'whole', %(strange)s, now(), (select min(id) from raw_payloads) "
    "from matches order by external_id limit 1",
    "insert into match_periods select external_id, 'quarter-1', 12, 9 from match_details",
    "update job_queue set status = 'completed', progress = 100, attempt = 1, token = 9007199254740993, "
    "started_at = created_at, finished_at = clock_timestamp(), result = 'null', message = %(strange)s "
    "where type = 'cleanup'",
    "update job_queue set status = 'running', progress = 12.3, attempt = 1, token = 1, started_at = created_at, "
    "worker = 'gone', lease_until = clock_timestamp() where type = 'track_record'",
    "insert into pipeline_jobs (job_id, step, position, detail) select id, 'fetch', 0, "
    "'{\"n\": 1.50, \"big\": 123456789012345678901234567890, \"none\": null, \"strange\": \"\\u00e9\\n\"}' "
    "from job_queue where type = 'data_pipeline'",
    "insert into job_logs (job_id, token, number, attempt, line) select id, 1, 0, 1, %(strange)s from job_queue",
    "insert into schedule_ticks (schedule, tick, outcome, worker) values ('refresh', now(), 'enqueued', 'gone')",
    "insert into system_health (checked_at, overall_status, duration_ms, checker, report) "
    "values (now(), 'healthy', 0.1, 'a test', '{}')",
    "insert into health_findings values ('ledger', '{\"rows\": 3}', now())",
    "insert into alerts (rule, severity, state, message, remedy, since, opened_at, seen_at) "
    "values ('trial', 'warning', 'open', %(strange)s, '', now(), now(), now())",
    "insert into api_keys (name, scope, sha256, hint) values ('me', 'operate', repeat('a', 64), 'tip')",
    "insert into webhooks (name, url, secret) values ('ops', 'https://example.org/path', 'a very secret secret')",
    "insert into outbox (kind, payload) values ('alert', '{}')",
)  # fmt: skip


def fill(pool: Pool, owner: psycopg.Connection[Any], store: ArtifactStore) -> None:
    """Four days of a league that end now, two models, sealed and graded forecasts, jobs, and the rest."""
    known = simulate(12)[0]
    for params in ((), (broken(),)):
        submit(pool, store, challenger(known, *params), known, dt.datetime(2026, 3, 13, tzinfo=dt.UTC), "test")
    now = _now(owner)
    history = simulate(2)[0]
    shift = now - 120 * MINUTE - history[-1].start
    told = [
        row(start=m.start + shift, externalId=m.external_id, participantAName=m.player_a, participantBName=m.player_b,
            teamAName=m.team_a, teamBName=m.team_b, teamAScore=m.score_a, teamBScore=m.score_b)
        for m in history
    ]  # fmt: skip
    names = {"participantAName": history[0].player_a, "participantBName": history[-1].player_b}
    soon = [fixture(900 + i, now + at * MINUTE, **names, externalId=f"SOON{i}") for i, at in enumerate((1.5, 20, 90))]
    bring(pool, payload([*told, *soon, {"externalId": "nothing else"}], now, now.date()))
    assert seal_due(pool, bring_up_to_date(pool, now), HORIZONS, "test").sealed == 2
    over = row(900, start=now + 1.5 * MINUTE, **names, externalId="SOON0")
    bring(pool, payload([over], _now(owner), now.date()))
    assert grade_known(pool) == 1
    bring_up_to_date(pool, now)
    refresh_statistics(pool, now)
    refresh_performance(pool, HORIZONS, now)
    assert refresh_record(pool, HORIZONS, now + 60 * MINUTE) is not None
    with pool.connection() as connection:
        schedule.install(connection)
        jobs = JobService()
        parent = jobs.enqueue(connection, "data_pipeline", {}).id
        for name in ("cleanup", "track_record"):
            jobs.enqueue(connection, name, {}, parent=parent)
    for statement in ODD:
        owner.execute(statement.encode(), {"strange": STRANGE} if "%(" in statement else None)


def _now(owner: psycopg.Connection[Any]) -> dt.datetime:
    [(now,)] = owner.execute("select clock_timestamp()").fetchall()
    moment: dt.datetime = now
    return moment


def content(connection: psycopg.Connection[Any], names: tuple[str, ...]) -> dict[str, list[str]]:
    """Every row of these tables as Postgres writes it."""
    return {
        name: [row[0] for row in connection.execute(f"select t::text from {name} t order by 1".encode()).fetchall()]
        for name in names
    }
