"""The check `job_queue`."""

from __future__ import annotations

from tipoff.health.report import Checked, Finding
from tipoff.health.rules import beyond, error, warning
from tipoff.health.settings import HealthSettings
from tipoff.storage.health import QueueFacts

MESSAGES_LATE = 600.0
"""seconds that a message may be due"""


def job_queue(facts: QueueFacts, limits: HealthSettings) -> Checked:
    """Who works, what waits, what failed, what is stuck, which schedules are late."""
    found: list[Finding] = []
    if facts.workers == 0:
        last = (
            f"the last one was seen at {facts.last_seen:%Y-%m-%d %H:%M:%S} UTC"
            if facts.last_seen
            else "there never was one"
        )
        found.append(error("no_workers", f"no worker is alive; {last}"))
    found += _stuck(facts)
    found += beyond(
        "queue_old", facts.oldest / 60, limits.pair("queue_minutes"),
        f"{facts.pending} jobs wait, the oldest for {facts.oldest / 60:.0f} minutes",
    )  # fmt: skip
    found += beyond(
        "jobs_failing", facts.failed_hour, limits.pair("failed_hour"),
        f"{facts.failed_hour} of {facts.ended_hour} jobs failed within the last hour",
    )  # fmt: skip
    found += [
        warning("job_failed", f"the newest {name} failed for good: {why}", name)
        for name, why in sorted(facts.failed_last.items())
    ]
    if facts.late:
        late = beyond(
            "schedules_late", facts.latest / 60, limits.pair("schedule_minutes"),
            f"schedules are due and nobody fires them: {', '.join(facts.late)}",
        )  # fmt: skip
        found += late
    elif facts.missed_hour >= limits.missed_ticks:
        found.append(warning("schedules_late", f"{facts.missed_hour} ticks of schedules were missed within an hour"))
    found += [
        warning("schedule_off", f"the schedule {name!r} was {why}", name)
        for name, why in sorted(facts.switched_off.items())
    ]
    if facts.message_age >= MESSAGES_LATE:
        found.append(
            error("messages_late", f"a message to people has been due for {facts.message_age / 60:.0f} minutes")
        )
    found += [
        warning("channel_down", f"{name} fails again and again: {why}", name)
        for name, why in sorted(facts.channels_down.items())
    ]
    return Checked(
        f"workers: {facts.workers}, jobs that run: {facts.running}, that wait: {facts.pending}", tuple(found),
        {
            "workers": facts.workers, "jobs_running": facts.running, "jobs_pending": facts.pending,
            "queue_age_seconds": round(facts.oldest, 1), "jobs_stuck": len(facts.stuck),
            "jobs_failed_hour": facts.failed_hour, "jobs_ended_hour": facts.ended_hour,
            "schedules_late": len(facts.late), "ticks_missed_hour": facts.missed_hour,
            "message_age_seconds": round(facts.message_age, 1),
        },
    )  # fmt: skip


def _stuck(facts: QueueFacts) -> list[Finding]:
    if not facts.stuck:
        return []
    named = ", ".join(facts.stuck[:3]) + (", ..." if len(facts.stuck) > 3 else "")
    return [error("jobs_stuck", f"{len(facts.stuck)} jobs are stuck: {named}")]
