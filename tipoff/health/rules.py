"""Everything that can be wrong, what it means, and what to do; `docs/troubleshooting.md` has a section for each."""

from __future__ import annotations

import dataclasses

from tipoff.health.report import Finding, Status


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """`check` finds it; `at_once`: it is believed at the first look, as an event or what cannot pass by itself."""

    check: str
    about: str
    remedy: str
    at_once: bool = False
    alerts: bool = True
    longer: float = 1.0
    """so many times longer than others it must last to be believed"""
    about_a_check: bool = False
    """its subject is the check that it is about"""


LONGEST = 1000
"""characters of a message"""
CHECKS = (
    "database", "resources", "job_queue", "models", "data_freshness", "forecasts", "artifact_store",
)  # fmt: skip

RULES: dict[str, Rule] = {
    "database_away": Rule(
        "database", "the database does not answer",
        "See that Postgres runs and that DATABASE_URL names it; Tipoff goes on by itself once it answers.",
    ),
    "database_unwritable": Rule(
        "database", "the database answers and takes no writes",
        "A full plan makes it read-only: free space or take a bigger one; else see who made it read-only.",
    ),
    "database_slow": Rule(
        "database", "a question takes long to travel to the database and back",
        "Look at the database's load and at the network; put web, workers and database into one region.",
    ),
    "slow_queries": Rule(
        "database", "statements have been running for long",
        "tipoff db status and pg_stat_activity name them; a missing index or a lock is usual.",
    ),
    "connections_used_up": Rule(
        "database", "the server's connections are nearly used up",
        "Lower --concurrency or the number of web processes, or take a bigger plan of the database.",
    ),
    "pool_exhausted": Rule(
        "database", "requests wait for a connection of this process",
        "Slow questions hold them: see slow_queries; add a web process.",
    ),
    "database_large": Rule(
        "database", "the database nears the size that was set as its limit",
        "Run tipoff jobs run cleanup; raise the plan and TIPOFF_HEALTH_DATABASE_MB_WARNING and _ERROR with it.",
    ),
    "schema_differs": Rule(
        "database", "the database's schema is not the one this code was written for",
        "Run python -m tipoff db migrate with the newest code, then restart what runs older code.",
    ),
    "clock_skewed": Rule(
        "database", "this machine's clock differs from the database's",
        "Switch on time synchronisation (NTP) on this machine.",
    ),
    "cpu_high": Rule(
        "resources", "the processor is busy all the time", "Lower --concurrency, or add a machine with a worker.",
        longer=15.0,
    ),
    "memory_high": Rule(
        "resources", "memory is nearly used up",
        "Lower --concurrency, or take a bigger instance; training needs up to 1 GB.",
    ),
    "disk_low": Rule(
        "resources", "the disk is nearly full",
        "Free space below TIPOFF_HOME, run tipoff jobs run cleanup, or take a bigger disk.",
    ),
    "no_workers": Rule(
        "job_queue", "no worker is alive, so no job runs",
        "Start one: python -m tipoff worker; on Render look at the worker service's log.",
    ),
    "jobs_stuck": Rule(
        "job_queue", "jobs are running that should have ended or been taken over",
        "tipoff jobs list --status running; tipoff jobs cancel ID; see that workers reach the database.",
    ),
    "jobs_failing": Rule(
        "job_queue", "many jobs failed within the last hour",
        "tipoff jobs list --status failed, then tipoff jobs show ID for the error and the step.",
    ),
    "job_failed": Rule(
        "job_queue", "a job failed for good, and none of its type has completed since",
        "tipoff jobs list --status failed; tipoff jobs show ID; then tipoff jobs retry ID.", at_once=True,
    ),
    "queue_old": Rule(
        "job_queue", "jobs wait for long", "Start another worker, or raise --concurrency of those that run.",
    ),
    "schedules_late": Rule(
        "job_queue", "schedules are due and nobody fires them, or their ticks were missed",
        "Start a worker without --no-schedules; tipoff jobs schedule list says when each fires.",
    ),
    "schedule_off": Rule(
        "job_queue", "a schedule was switched off because it could not fire",
        "tipoff jobs schedule list says why; mend it with tipoff jobs schedule set NAME --cron ... --enable.",
    ),
    "messages_late": Rule(
        "job_queue", "messages to people are due and nobody delivers them",
        "Start a worker that runs outbox_delivery (without --types); tipoff webhooks deliveries has the tries.",
    ),
    "channel_down": Rule(
        "job_queue", "a receiver of alerts fails again and again",
        "tipoff webhooks deliveries says why; mend its address in TIPOFF_ALERT_URLS or with tipoff webhooks.",
    ),
    "no_champion": Rule(
        "models", "no model forecasts", "tipoff jobs run data_pipeline -p train_model=true; then tipoff models list.",
    ),
    "champion_unreadable": Rule(
        "models", "the champion's file is missing, damaged, or not what the database says",
        "tipoff train makes a new one; or restore the file, or put an older model back with tipoff models.",
        at_once=True,
    ),
    "champion_old": Rule(
        "models", "the champion was trained long ago",
        "See why the nightly training does not pass: tipoff models list gives each one's reason.",
    ),
    "drift": Rule(
        "models", "the champion's sealed forecasts score worse than it promised",
        "tipoff record shows where; tipoff jobs run model_review trains a challenger.",
    ),
    "drift_unwatched": Rule(
        "models", "the champion's scores have not been compared with its promise for long",
        "tipoff jobs run model_review; see that results come in and are graded.",
    ),
    "source_stale": Rule(
        "data_freshness", "the league has not been asked with success for long",
        "tipoff jobs list --type quick_data_refresh says why; see that the league's server answers from here.",
    ),
    "results_stale": Rule(
        "data_freshness", "no new result has come in for long",
        "The league may pause, or its server may be frozen: compare with its own site.",
    ),
    "no_fixtures": Rule(
        "data_freshness", "no coming match is known", "As for results_stale; forecasts need fixtures.",
    ),
    "quarantine_high": Rule(
        "data_freshness", "many rows of the league cannot be believed",
        "tipoff db status counts reasons; the table quarantine holds each row and why.",
    ),
    "shape_changed": Rule(
        "data_freshness", "the league's answers are not what they used to be",
        "The league changed its API: the table quarantine holds the answers; Tipoff needs an update.",
    ),
    "unread_answers": Rule(
        "data_freshness", "answers of the league wait to be read",
        "tipoff jobs run quick_data_refresh; its error says why they are not read.",
    ),
    "forecasts_unsealed": Rule(
        "forecasts", "matches began without a sealed forecast",
        "See no_workers, source_stale and no_champion first; tipoff jobs list --type prediction_generation.",
    ),
    "ledger_broken": Rule(
        "forecasts", "the ledger does not verify: the record was changed",
        "Stop; keep a copy of the database; tipoff ledger verify names the row; compare with published heads.",
        at_once=True,
    ),
    "ledger_unverified": Rule(
        "forecasts", "the ledger has not been verified for long",
        "tipoff jobs run ledger_verification; see that workers run.",
    ),
    "store_away": Rule(
        "artifact_store", "the store of models cannot be written or read",
        "On a disk: free space, permissions below TIPOFF_HOME; on Supabase: SUPABASE_URL, the key, the bucket.",
    ),
    "store_slow": Rule(
        "artifact_store", "the store of models takes long",
        "Look at the network between here and the store, and at its disk; trainings wait for it.",
    ),
    "check_hung": Rule(
        "resources", "a check did not end in time and was cut off",
        "Whatever it looks at hangs: a disk that was taken away, a network that swallows.", about_a_check=True,
    ),
    "check_failed": Rule(
        "resources", "a check failed in a way that nobody foresaw",
        "The log of the process that looked has the traceback; please report it.", about_a_check=True,
    ),
    "not_looked_at": Rule(
        "database", "a check could not look, because what it needs is away", "See the check that failed.",
        alerts=False,
    ),
}  # fmt: skip


def finding(rule: str, severity: Status, message: str, subject: str = "") -> Finding:
    """A finding of a rule, with the rule's remedy; what it says is not endless."""
    return Finding(rule, severity, message[:LONGEST], RULES[rule].remedy, subject[:LONGEST])


def warning(rule: str, message: str, subject: str = "") -> Finding:
    """A finding that is a warning."""
    return finding(rule, Status.WARNING, message, subject)


def error(rule: str, message: str, subject: str = "") -> Finding:
    """A finding that is an error."""
    return finding(rule, Status.ERROR, message, subject)


def beyond(
    rule: str, value: float, limits: tuple[float, float], message: str, subject: str = "", *, low: bool = False
) -> list[Finding]:
    """A warning or an error where `value` is at or beyond (warning, error); `low`: where it is at or below."""
    sign = -1 if low else 1
    severity = (
        Status.ERROR if sign * value >= sign * limits[1]
        else Status.WARNING if sign * value >= sign * limits[0] else None
    )  # fmt: skip
    return [finding(rule, severity, message, subject)] if severity else []
