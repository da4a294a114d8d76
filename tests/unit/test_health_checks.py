"""What checks make of facts: the thresholds of each rule from both sides, a warning and an error."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from tipoff.errors import InputError
from tipoff.health.checks.artifact_store import StoreFacts, artifact_store
from tipoff.health.checks.data_freshness import data_freshness
from tipoff.health.checks.database import away, database
from tipoff.health.checks.forecasts import forecasts
from tipoff.health.checks.job_queue import job_queue
from tipoff.health.checks.models import models
from tipoff.health.checks.resources import resources
from tipoff.health.report import Checked, Finding
from tipoff.health.rules import RULES
from tipoff.health.settings import HealthSettings, read_health_settings
from tipoff.storage.health import DatabaseFacts, ForecastFacts, FreshnessFacts, ModelFacts, QueueFacts

NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
LIMITS = HealthSettings()
SHA, SOUND = "a" * 64, StoreFacts()
MACHINE: dict[str, Any] = {
    "name": "web:1", "host": "web", "pool_waiting": 0, "cpu_percent": 10.0, "memory_percent": 20.0,
    "memory_used_mb": 1.0, "memory_available_mb": 4.0, "disk_percent": 30.0, "disk_free_gb": 7.0, "process_mb": 80.0,
}  # fmt: skip
DATABASE = DatabaseFacts(NOW, 10 * 2**20, "3", 0, 0.0, 5, 60, False)
QUEUE = QueueFacts(0, 0, 0.0, [], 0, 0, {}, 1, NOW, [], 0.0, 0, {}, 0.0, {}, [])
MODEL = ModelFacts(3, SHA, NOW - DAY, 500, None, None, {"broken": None}, NOW - HOUR)
FRESH = FreshnessFacts(NOW - MINUTE, NOW - 40 * MINUTE, 40, NOW + HOUR, 240, 0, {}, [], 0, None)
LEDGER = ForecastFacts("database", NOW - 9 * DAY, 100, 100, 500)


def on_database(
    seconds: float = 0.01, skew: float = 0.0, expected: str = "3", waiting: int = 0, **facts: Any
) -> Checked:
    """The check with these facts instead."""
    processes = [{**MACHINE, "pool_waiting": waiting}]
    return database(dataclasses.replace(DATABASE, **facts), processes, seconds, skew, expected, LIMITS)


def on_machine(**figures: Any) -> Checked:
    """The check with one more machine."""
    return resources([{**MACHINE, "host": "other", **figures}, MACHINE], LIMITS)


def on_queue(**facts: Any) -> Checked:
    """The check with these facts instead."""
    return job_queue(dataclasses.replace(QUEUE, **facts), LIMITS)


def on_models(store: StoreFacts = SOUND, **facts: Any) -> Checked:
    """The check with these facts instead."""
    return models(dataclasses.replace(MODEL, **facts), store, NOW, LIMITS)


def on_data(source: str = "h2h-2026", **facts: Any) -> Checked:
    """The check with these facts instead."""
    return data_freshness(dataclasses.replace(FRESH, **facts), source, NOW, LIMITS)


def on_ledger(ledger: ModelFacts = MODEL, **facts: Any) -> Checked:
    """The check with these facts instead."""
    return forecasts(dataclasses.replace(LEDGER, **facts), ledger, NOW, LIMITS)


def drifted(*measures: str, model: str = SHA) -> dict[str, Any]:
    """What the watch found."""
    names = ("log_loss", "margin_inside", "total_inside", "ece")
    return {"model": model, "watched": [
        {"measure": n, "promised": 0.6, "seen": 0.7, "matches": 400, "drifted": n in measures} for n in names
    ]}  # fmt: skip


CASES: list[tuple[str, str, Checked]] = [
    ("database_away", "error", away("no answer")),
    ("database_unwritable", "error", on_database(read_only=True)),
    ("database_slow", "", on_database(seconds=0.2)),
    ("database_slow", "warning", on_database(seconds=0.3)),
    ("database_slow", "error", on_database(seconds=2.5)),
    ("slow_queries", "warning", on_database(slow=1, longest=40.0)),
    ("connections_used_up", "", on_database(connections=47)),
    ("connections_used_up", "warning", on_database(connections=49)),
    ("connections_used_up", "error", on_database(connections=58)),
    ("pool_exhausted", "", on_database(waiting=9)),
    ("pool_exhausted", "warning", on_database(waiting=10)),
    ("pool_exhausted", "error", on_database(waiting=60)),
    ("database_large", "", on_database(bytes=6900 * 2**20)),
    ("database_large", "warning", on_database(bytes=7100 * 2**20)),
    ("database_large", "error", on_database(bytes=7900 * 2**20)),
    ("schema_differs", "warning", on_database(schema_version="4")),
    ("schema_differs", "error", on_database(schema_version="2")),
    ("clock_skewed", "", on_database(skew=-4.0)),
    ("clock_skewed", "warning", on_database(skew=-7.0)),
    ("clock_skewed", "error", on_database(skew=61.0)),
    ("cpu_high", "", on_machine(cpu_percent=94.0)),
    ("cpu_high", "warning", on_machine(cpu_percent=100.0)),
    ("memory_high", "", on_machine(memory_percent=87.0)),
    ("memory_high", "warning", on_machine(memory_percent=89.0)),
    ("memory_high", "error", on_machine(memory_percent=97.0)),
    ("disk_low", "", on_machine(disk_percent=89.0)),
    ("disk_low", "warning", on_machine(disk_percent=91.0)),
    ("disk_low", "error", on_machine(disk_percent=98.0)),
    ("disk_low", "error", on_machine(error="no such disk", disk_percent=None)),
    ("check_hung", "error", on_machine(error="it has not ended", hung=True, disk_percent=None)),
    ("no_workers", "error", on_queue(workers=0)),
    ("jobs_stuck", "error", on_queue(stuck=["cleanup 1"])),
    ("jobs_failing", "", on_queue(failed_hour=2, ended_hour=9)),
    ("jobs_failing", "warning", on_queue(failed_hour=3, ended_hour=9)),
    ("jobs_failing", "error", on_queue(failed_hour=10, ended_hour=10)),
    ("job_failed", "warning", on_queue(failed_last={"cleanup": "broken"})),
    ("queue_old", "", on_queue(oldest=290.0)),
    ("queue_old", "warning", on_queue(oldest=310.0)),
    ("queue_old", "error", on_queue(oldest=1810.0)),
    ("schedules_late", "warning", on_queue(late=["refresh"], latest=200.0)),
    ("schedules_late", "error", on_queue(late=["refresh"], latest=1000.0)),
    ("schedules_late", "", on_queue(missed_hour=29)),
    ("schedules_late", "warning", on_queue(missed_hour=30)),
    ("schedule_off", "warning", on_queue(switched_off={"refresh": "switched off: no cron"})),
    ("messages_late", "", on_queue(message_age=599.0)),
    ("messages_late", "error", on_queue(message_age=601.0)),
    ("channel_down", "warning", on_queue(channels_down={"tgram-1a2b3c": "HTTP 502"})),
    ("no_champion", "error", on_models(sha256=None)),
    ("champion_unreadable", "error", on_models(StoreFacts(champion="it was cut short"))),
    ("not_looked_at", "error", on_models(StoreFacts(away="no answer"))),
    ("champion_old", "", on_models(trained_at=NOW - 13 * DAY)),
    ("champion_old", "warning", on_models(trained_at=NOW - 15 * DAY)),
    ("champion_old", "error", on_models(trained_at=NOW - 61 * DAY)),
    ("drift", "", on_models(drift=drifted(), drift_at=NOW)),
    ("drift", "warning", on_models(drift=drifted("margin_inside"), drift_at=NOW)),
    ("drift", "error", on_models(drift=drifted("log_loss"), drift_at=NOW)),
    ("drift", "", on_models(drift=drifted("log_loss", model="b" * 64), drift_at=NOW)),
    ("drift_unwatched", "", on_models(drift=drifted(), drift_at=NOW - 2 * DAY)),
    ("drift_unwatched", "warning", on_models(drift=drifted(), drift_at=NOW - 4 * DAY)),
    ("source_stale", "error", on_data(fetched_at=None)),
    ("source_stale", "", on_data(fetched_at=NOW - 14 * MINUTE)),
    ("source_stale", "warning", on_data(fetched_at=NOW - 16 * MINUTE)),
    ("source_stale", "error", on_data(fetched_at=NOW - 61 * MINUTE)),
    ("source_stale", "", on_data("recorded:days", fetched_at=NOW - 9 * DAY)),
    ("results_stale", "", on_data(newest_result=NOW - 119 * MINUTE)),
    ("results_stale", "warning", on_data(newest_result=NOW - 121 * MINUTE)),
    ("results_stale", "error", on_data(newest_result=NOW - 13 * HOUR)),
    ("no_fixtures", "warning", on_data(fixtures=0)),
    ("quarantine_high", "", on_data(refused_day=4)),
    ("quarantine_high", "warning", on_data(refused_day=6)),
    ("quarantine_high", "error", on_data(refused_day=80)),
    ("shape_changed", "", on_data(refused_hour={"bad_start": 4})),
    ("shape_changed", "", on_data(refused_hour={"same_team": 40})),
    ("shape_changed", "warning", on_data(refused_hour={"bad_start": 5})),
    ("shape_changed", "", on_data(refused_hour={"invalid_json": 1})),
    ("shape_changed", "error", on_data(refused_hour={"invalid_json": 1}, unreadable=["invalid_json"])),
    ("unread_answers", "", on_data(unread=1, unread_since=NOW - 9 * MINUTE)),
    ("unread_answers", "warning", on_data(unread=1, unread_since=NOW - 11 * MINUTE)),
    ("unread_answers", "error", on_data(unread=1, unread_since=NOW - 61 * MINUTE)),
    ("forecasts_unsealed", "", on_ledger(sealed=98)),
    ("forecasts_unsealed", "warning", on_ledger(sealed=90)),
    ("forecasts_unsealed", "error", on_ledger(sealed=79)),
    ("forecasts_unsealed", "", on_ledger(begun=4, sealed=0)),
    ("forecasts_unsealed", "", on_ledger(clock="replay", sealed=0)),
    ("ledger_broken", "error", on_ledger(dataclasses.replace(MODEL, verification={"broken": "row 3"}))),
    ("ledger_unverified", "warning", on_ledger(dataclasses.replace(MODEL, verified_at=NOW - 4 * HOUR))),
    ("ledger_unverified", "warning", on_ledger(dataclasses.replace(MODEL, verified_at=None))),
    ("ledger_unverified", "", on_ledger(dataclasses.replace(MODEL, verified_at=None), opened_at=NOW - HOUR)),
    ("store_away", "error", artifact_store(StoreFacts(away="full"), LIMITS)),
    ("store_slow", "", artifact_store(StoreFacts(1.4), LIMITS)),
    ("store_slow", "warning", artifact_store(StoreFacts(1.6), LIMITS)),
    ("store_slow", "error", artifact_store(StoreFacts(4.1), LIMITS)),
]  # fmt: skip
ELSEWHERE = {"check_failed"}
"""what `test_health_monitor.py` shows, since it needs something that breaks"""


@pytest.mark.parametrize(("rule", "severity", "check"), CASES, ids=[f"{r} {s}" for r, s, _ in CASES])
def test_a_rule_and_its_thresholds(rule: str, severity: str, check: Checked) -> None:
    """A threshold read the wrong way round; a warning that is never an error; one rule that brings another."""
    found: list[Finding] = [f for f in check.findings if f.rule == rule]
    assert [f.severity.value for f in found] == ([severity] if severity else [])
    assert {f.rule for f in check.findings} <= {rule}
    assert all(f.message and f.remedy == RULES[rule].remedy for f in found)


def test_all_is_well_where_all_is_well() -> None:
    """A check that always finds something."""
    for check in (on_database(), on_machine(), on_queue(), on_models(), on_data(), on_ledger()):
        assert check.status == "healthy"
        assert check.looked
        assert check.good
    assert artifact_store(StoreFacts(0.01), LIMITS).status == "healthy"


def test_every_rule_is_shown() -> None:
    """A rule that nobody has ever seen."""
    assert {rule for rule, severity, _ in CASES if severity} | ELSEWHERE == set(RULES)


def test_a_machine_is_one_subject_whoever_looks() -> None:
    """A full disk that is resolved because another process looks; or that opens one alert for each process."""
    full = {**MACHINE, "host": "worker", "disk_percent": 99.0}
    mine = resources([full, {**full, "name": "worker:2"}, MACHINE], LIMITS)
    theirs = resources([MACHINE, {**full, "name": "worker:2"}, full], LIMITS)
    assert [(f.rule, f.subject) for f in mine.findings] == [(f.rule, f.subject) for f in theirs.findings]
    assert [(f.rule, f.subject) for f in mine.findings] == [("disk_low", "worker")]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TIPOFF_HEALTH_DISK_PERCENT_WARNING", "99", "above the one with _ERROR"),
        ("TIPOFF_HEALTH_EVERY", "never", "TIPOFF_HEALTH_EVERY"),
        ("TIPOFF_HEALTH_QUIET", "22-7", "two times and a zone"),
        ("TIPOFF_HEALTH_QUIET", "22:00-07:00 Mars/Base", "there is no time zone Mars/Base"),
        ("TIPOFF_HEALTH_SEALED_PERCENT_WARNING", "10", "below the one with _ERROR"),
    ],
)
def test_wrong_settings_say_which(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, said: str
) -> None:
    """A threshold that silently is another one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=said):
        read_health_settings()
