"""What tests of metrics share: promtool, and rows of which every metric has a sample."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
NAME = re.compile(r"\b(?:tipoff|process)_\w+")

HEALTHY = """
insert into model_registry (sha256, created_at, document, active, verdict)
  values (repeat('b', 64), now(),
    '{"measured": {"models": [{"measures": {"log_loss": {"mean": 0.65, "low": 0.64, "high": 0.66}}}]}}',
    true, 'passed');
insert into model_performance select repeat('b', 64), current_date - n, 100 * n,
  case n when 1 then 0.60 when 3 then 0.70 else 9 end, 0.2, 0.6, 7, 9, 0.8, 0.8, now()
  from (values (1), (3), (9)) as d (n);
insert into job_queue (type, status, error, rank, attempt, started_at, finished_at)
  select 'cleanup', 'failed', '{"kind": "k", "message": "m", "where": "w"}', 1, 1, now() - interval '3 hours',
    now() - make_interval(mins => n) from (values (5), (50), (70)) as d (n);
insert into job_queue (type, rank, run_after) values
  ('database_care', extract(epoch from now()) - 600, now() - interval '10 minutes'),
  ('track_record', extract(epoch from now()) + 600, now() + interval '10 minutes');
insert into quarantine (payload_id, row_index, reason, detail, row, row_sha256, first_seen_at, last_seen_at)
  select 1, 0, 'no_score', '', '{}', n::text, now() - interval '9 days', now() - make_interval(hours => n)
  from (values (1), (23), (25)) as d (n);
insert into job_workers (name, host, pid, version, types, concurrency, seen_at)
  select 'w' || n, 'h', 1, '1', '{cleanup}', 2, now() + make_interval(secs => case n when 1 then 3600 else -60 end)
  from generate_series(1, 2) as n;
insert into alerts (rule, severity, state, message, remedy, since, opened_at, seen_at, resolved_at) values
  ('a', 'error', 'open', '', '', now(), now(), now(), null),
  ('b', 'error', 'resolved', '', '', now(), now(), now(), now());
insert into outbox (kind, payload, created_at, given_up_at) values
  ('alert', '{}', now() - interval '5 minutes', null),
  ('alert', '{}', now() - interval '6 hours', now() - interval '2 hours'),
  ('alert', '{}', now() - interval '3 days', now() - interval '2 days');
insert into system_health (checked_at, overall_status, duration_ms, checker, report) values
  (now() - interval '1 hour', 'healthy', 9, 'w', '{"checks": {"gone": {"status": "error"}}}'),
  (now() - interval '1 minute', 'error', 9, 'w', '{"overall_status": "error", "checks":
    {"database": {"status": "healthy"}, "job_queue": {"status": "warning"}, "models": {"status": "error"}}}');
"""
"""after `fill`: a champion, failed and old jobs, rows in quarantine, workers, alerts, messages and health reports"""


def promtool() -> str:
    """Prometheus's own tool, where this machine has it."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool (Debian package prometheus) is not installed")
    return found


def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    found: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"]
    return found


def panels() -> list[str]:
    """What the panels of the dashboard ask."""
    made = json.loads((DEPLOY / "grafana" / "tipoff.json").read_text())["panels"]
    return [target["expr"] for panel in made for target in panel.get("targets", [])]


def named(question: str) -> set[str]:
    """Metrics that a question is about."""
    return set(NAME.findall(question))
