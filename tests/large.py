"""A large database, filled within seconds."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tipoff.api.record.schemas import TrackRecord

PLAYERS, TEAMS = 2_000, 30
FILL = """
insert into players select 'PLAYER ' || n, now(), now() from generate_series(0, %(players)s - 1) as n;
insert into raw_payloads (source, dialect, resource, day, sha256, body, size, first_fetched_at, last_fetched_at,
    ingested_at)
  select 'x', 'h2h-2026', 'schedule', current_date - n, repeat(md5(n::text), 2), ''::bytea, 0, now(), now(), now()
  from generate_series(1, 2000) as n;
insert into matches (external_id, start_at, player_a, player_b, team_a, team_b, stream, status, score_a, score_b,
    first_observed_at, last_observed_at)
  select 'M' || n, now() - make_interval(mins => n), 'PLAYER ' || n %% %(players)s,
    'PLAYER ' || (n * 7 + 1 + n / %(players)s) %% %(players)s, 'TEAM ' || n %% %(teams)s,
    'TEAM ' || (n + 1 + n / 31) %% %(teams)s, 's', case when n %% 997 = 0 then 'void' else 'final' end,
    50 + n %% 20, 70 + n %% 19, now(), now()
  from generate_series(1, %(matches)s) as n
  where n %% %(players)s <> (n * 7 + 1 + n / %(players)s) %% %(players)s;
insert into match_arrivals (external_id, observed_at, payload_id, start_at, player_a, player_b, status)
  select external_id, now(), 1, start_at, player_a, player_b, status from matches;
insert into upcoming_matches (external_id, start_at, player_a, player_b, team_a, team_b, stream, status,
    first_seen_at, last_seen_at, withdrawn_at, withdrawn_because)
  select case when n <= 400 then 'U' || n else 'W' || n end,
    now() + case when n <= 400 then make_interval(mins => 5 * n) else make_interval(mins => -n) end,
    'PLAYER ' || n %% %(players)s, 'PLAYER ' || (n + 1) %% %(players)s, 'TEAM ' || n %% %(teams)s,
    'TEAM ' || (n + 3) %% %(teams)s, 's',
    case when n <= 400 then 'scheduled' when n %% 50 = 0 then 'withdrawn' else 'played' end, now(), now(),
    case when n > 400 and n %% 50 = 0 then now() end, case when n > 400 and n %% 50 = 0 then 'vanished' end
  from generate_series(1, %(matches)s / 5) as n;
insert into player_stats select name, 500, 250, 1, 1, now(), now(), random() * 20 - 10, 1, now() from players;
insert into team_stats select 'TEAM ' || n, 500, 250, 1, 1, random() * 20 - 10, 1, now()
  from generate_series(0, %(teams)s - 1) as n;
insert into team_players select 'TEAM ' || t, 'PLAYER ' || p, 500, 250, 1, 1
  from generate_series(0, %(teams)s - 1) as t, generate_series(0, %(players)s - 1) as p;
insert into player_ratings
  select 'PLAYER ' || n %% %(players)s, now() - make_interval(mins => n), repeat('a', 64), n, 1, 1, 1
  from generate_series(1, %(matches)s / 5) as n;
insert into ledger (seq, prev, hash, content)
  select n, repeat('0', 64), md5(n::text) || md5('x' || n), json_build_object('kind', case n when 1 then 'open' else
    case n %% 2 when 0 then 'seal' else 'grade' end end, 'seq', n, 'at', '2026-01-01T00:00:00.000000Z', 'body',
    json_build_object('external_id', 'M' || n / 2, 'horizon', 30, 'seal', n - 1,
      'start', '2026-01-01T00:00:00.000000Z', 'player_a', 'PLAYER ' || n / 2 %% %(players)s,
      'player_b', 'PLAYER ' || (n / 2 + 1) %% %(players)s, 'team_a', null, 'team_b', null, 'stream', 's',
      'result', json_build_object('score_a', 60, 'score_b', 61),
      'status', case n %% 499 when 0 then 'late' else 'graded' end,
      'scores', json_build_object('hit', n / 2 %% 2, 'log_loss', 0.7)))::text
  from generate_series(1, %(matches)s / 5) as n;
insert into match_predictions
  select n, 'M' || n / 2, 30, now() - make_interval(mins => n / 2), now(), repeat('a', 64), 0.5, 0, 9, 108, 11
  from generate_series(2, %(matches)s / 5, 2) as n;
insert into job_queue (type, status, progress, result, rank, attempt, created_at, started_at, finished_at)
  select case n %% 3 when 0 then 'cleanup' when 1 then 'quick_data_refresh' else 'model_review' end, 'completed', 100,
    '{}', n, 1, now() - make_interval(secs => 60 * n), now() - make_interval(secs => 60 * n),
    now() - make_interval(secs => 60 * n - 5)
  from generate_series(1, %(jobs)s) as n;
insert into job_queue (type, rank) select 'model_review', n from generate_series(1, 300) as n;
insert into job_queue (id, type, rank) values ('00000000-0000-0000-0000-000000000007', 'model_review', 1);
insert into job_logs (job_id, token, number, attempt, line)
  select id, 1, n, 1, 'a line' from (select id from job_queue order by (rank = 1) desc limit 100) q,
    generate_series(1, 300) as n;
insert into track_record select p, now(), 2, 2, %(record)s::jsonb from unnest(array['day', 'week', 'month']) as p;
insert into api_keys (name, scope, sha256, hint) select 'k', 'read', md5(n::text) || md5('y' || n), 'h'
  from generate_series(1, 20000) as n;
insert into quarantine (payload_id, row_index, reason, detail, row, row_sha256, first_seen_at, last_seen_at)
  select 1, 0, 'long_ago', '', '{}', 'x' || n, now() - interval '90 days', now() - make_interval(mins => 1500 + n)
  from generate_series(1, 20000) as n;
insert into alerts (rule, severity, state, message, remedy, since, opened_at, seen_at, resolved_at)
  select 'past', 'error', 'resolved', '', '', now(), now(), now(), now() from generate_series(1, 20000) as n;
insert into outbox (kind, payload, created_at, delivered_at)
  select 'alert', '{}', now() - interval '3 days', now() - make_interval(mins => 1500 + n)
  from generate_series(1, 20000) as n;
insert into system_health (checked_at, overall_status, duration_ms, checker, statuses, metrics, report)
  select now() - make_interval(secs => 300 + 30 * n), 'healthy', 9, 'w',
    '{"database": "healthy"}', '{"cpu_percent": 7}', '{"checks": {"past": {"status": "healthy"}}}'
  from generate_series(1, 20000) as n;
insert into idempotency_keys (principal, key, request_sha256, status, body, expires_at)
  select 'p', n::text, repeat('a', 64), 200, '', now() + interval '1 day' from generate_series(1, 20000) as n;
"""


def fill(connection: psycopg.Connection[Any], matches: int, jobs: int) -> None:
    """So many matches and jobs, and what goes with them."""
    [example] = TrackRecord.model_json_schema()["examples"]
    outside = ("made_at", "ledger_row", "rows_since", "period")
    record = {name: value for name, value in example.items() if name not in outside}
    values = {"players": PLAYERS, "teams": TEAMS, "matches": matches, "jobs": jobs, "record": Jsonb(record)}
    for statement in filter(str.strip, FILL.split(";\n")):
        psycopg.ClientCursor(connection).execute(statement.encode(), values)
