"""The database's figures and this process's connections as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric

from tipoff.storage.metrics import Figures, Labelled

STATUSES = ("pending", "running", "completed", "failed", "cancelled")
HEALTH = {"healthy": 0.0, "warning": 1.0, "error": 2.0}
SEVERITIES = ("warning", "error")
ONE = {
    "last_fetch": ("tipoff_last_fetch_timestamp_seconds", "When the league's server last answered."),
    "fetched": ("tipoff_payloads_fetched_last_hour", "Different answers of the league's server in the last hour."),
    "payloads_waiting": ("tipoff_payloads_waiting", "Answers that were kept and not yet read."),
    "newest_result": ("tipoff_newest_result_timestamp_seconds", "When the newest match with a result began."),
    "fixtures": ("tipoff_fixtures_known", "Matches to come."),
    "last_fixture": ("tipoff_last_fixture_timestamp_seconds", "When the last known match to come begins."),
    "begun_3h": ("tipoff_fixtures_begun", "Matches that began in the last three hours."),
    "begun_sealed_3h": ("tipoff_fixtures_begun_sealed", "Matches of the last three hours with a sealed forecast."),
    "sealed_1d": ("tipoff_forecasts_sealed_last_day", "Forecasts sealed in the last 24 hours."),
    "ledger_rows": ("tipoff_ledger_rows", "Rows of the ledger."),
    "workers": ("tipoff_workers_alive", "Workers seen in the last 30 seconds."),
    "outbox_waiting": ("tipoff_outbox_waiting", "Messages that wait for delivery."),
    "outbox_oldest": ("tipoff_outbox_oldest_waiting_seconds", "Age of the oldest message that waits; 0: none does."),
    "outbox_given_up": ("tipoff_outbox_given_up_last_day", "Messages given up in the last 24 hours."),
    "health_age": ("tipoff_health_age_seconds", "Age of the newest health report."),
    "version": ("tipoff_model_version", "Version of the model that forecasts."),
    "trained": ("tipoff_model_trained_timestamp_seconds", "When the model that forecasts was trained."),
    "promised": ("tipoff_model_log_loss_promised", "Log loss the model that forecasts was measured with."),
    "promised_high": ("tipoff_model_log_loss_promised_high", "Upper end of that log loss's 95 % interval."),
    "log_loss_7d": ("tipoff_model_log_loss", "Log loss of the model's sealed forecasts, last seven days."),
    "graded_7d": ("tipoff_model_matches_graded", "Matches behind tipoff_model_log_loss."),
}  # fmt: skip
"""name and help of each figure that stands alone"""


def of_figures(found: Figures) -> Iterator[Metric]:
    """What the database holds."""
    for key, (name, said) in ONE.items():
        if key in found.one:
            yield GaugeMetricFamily(name, said, found.one[key])
    yield from _of_jobs(found)
    sealed = float(found.rows["match_predictions"])
    graded = max(0.0, found.one.get("ledger_rows", 0.0) - sealed - 1)
    yield GaugeMetricFamily("tipoff_forecasts_sealed", "Sealed forecasts; an estimate above 5,000.", sealed)
    yield GaugeMetricFamily("tipoff_forecasts_graded", "Grades in the ledger; an estimate above 5,000.", graded)
    rows: Labelled = {(table,): float(number) for table, number in found.rows.items()}
    yield _gauge("tipoff_rows", "Rows of a table; an estimate above 5,000.", ("table",), rows)
    said = "Rows that could not be believed and were seen in the last 24 hours."
    yield _gauge("tipoff_quarantined_last_day", said, ("reason",), found.quarantine)
    alerts: Labelled = {(severity,): found.alerts.get((severity,), 0.0) for severity in SEVERITIES}
    yield _gauge("tipoff_alerts_open", "Alerts that are open or acknowledged.", ("severity",), alerts)
    health: Labelled = {(check,): HEALTH[status] for check, status in found.health if status in HEALTH}
    yield _gauge("tipoff_health_status", "By check: 0 healthy, 1 warning, 2 error.", ("check",), health)


def _of_jobs(found: Figures) -> Iterator[Metric]:
    labels = ("type", "status")
    numbers: Labelled = {(row["type"], status): float(row[status]) for row in found.jobs for status in STATUSES}
    yield _gauge("tipoff_jobs", "Jobs in the queue and those that ended and are still kept.", labels, numbers)
    yield _gauge("tipoff_jobs_ended_last_hour", "Jobs that ended in the last hour.", labels, found.ended)
    oldest = max(found.waiting.values(), default=0.0)
    said = "For how long the oldest job that could run has waited; 0: none does."
    yield GaugeMetricFamily("tipoff_job_queue_oldest_pending_seconds", said, oldest)
    waiting: Labelled = {(name,): seconds for name, seconds in found.waiting.items()}
    yield _gauge(
        "tipoff_job_queue_oldest_pending_by_type_seconds",
        "The same for each type of job that waits.",
        ("type",),
        waiting,
    )
    for name, key in (("median", "seconds_p50_24h"), ("p95", "seconds_p95_24h")):
        took: Labelled = {(row["type"],): row[key] for row in found.jobs if row[key] is not None}
        said = f"How long completed jobs of the last 24 hours took, {name}."
        yield _gauge(f"tipoff_job_duration_{name}_seconds", said, ("type",), took)
    shares: Labelled = {
        (row["type"],): row["success_rate_24h"] for row in found.jobs if row["success_rate_24h"] is not None
    }
    said = "Share of completed ones among jobs that were completed or failed in the last 24 hours."
    yield _gauge("tipoff_job_success_ratio", said, ("type",), shares)


def of_process(pool: Mapping[str, int], streams: int, version: str, *, up: bool, current: bool) -> Iterator[Metric]:
    """What this process knows without asking."""
    build = GaugeMetricFamily(
        "tipoff_build_info", "Always 1; the label says which version runs.", labels=("version",)
    )
    build.add_metric((version,), 1.0)
    yield build
    yield GaugeMetricFamily("tipoff_database_up", "Whether the database answers.", float(up))
    said = "Whether the figures of the database are in this answer."
    yield GaugeMetricFamily("tipoff_figures_current", said, float(current))
    yield GaugeMetricFamily("tipoff_live_streams", "Open WebSockets and event streams.", streams)
    for name, key, said in (
        ("tipoff_pool_size", "pool_size", "Connections to the database."),
        ("tipoff_pool_available", "pool_available", "Connections to the database that nobody uses."),
        ("tipoff_pool_waiting", "requests_waiting", "Requests that wait for a connection."),
    ):
        yield GaugeMetricFamily(name, said, float(pool.get(key, 0)))


def _gauge(name: str, said: str, labels: Iterable[str], values: Labelled) -> Metric:
    family = GaugeMetricFamily(name, said, labels=tuple(labels))
    for values_of_labels, value in sorted(values.items()):
        family.add_metric(values_of_labels, value)
    return family
