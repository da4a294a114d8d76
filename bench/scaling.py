"""The figures of docs/scaling.md and of the README on a deployment, from bench/results.json and bench/chaos.json."""

from __future__ import annotations

from typing import Any

MATCHES_A_DAY = 250
JOBS_A_DAY = 4500
"""of the default schedules: two a minute, a refresh each three minutes, a record each ten, and few others"""
DAY = 86_400
MB = 2**20


def deployment(found: dict[str, Any], chaos: dict[str, Any]) -> list[str]:
    """The README's part."""
    took, expected = found["seconds"], found["expected"]
    lines = [
        f"A deployment by `render.yaml`'s commands with {found['matches']:,} matches, kernels not yet compiled; what "
        "the specification expects beside it:",
        "",
        "| what | measured | expected |",
        "|---|---|---|",
        f"| health check, p50 / max | {1000 * took['health']['p50']:.1f} / {1000 * took['health']['max']:.1f} ms "
        f"| {expected['health']} |",
        f"| job creation, at most | {1000 * took['job_creation']:.0f} ms | {expected['job_creation']} |",
        f"| quick refresh | {took['quick_refresh']:.1f} s | {expected['quick_refresh']} |",
        f"| full pipeline, {found['days']} days, with training | {took['full_pipeline']:.0f} s "
        f"| {expected['full_pipeline']} |",
        f"| training on 30 days | {took['training']:.0f} s | {expected['training']} |",
        f"| memory: web idle / under load | {found['web_idle_mb']:.0f} / {found['web_loaded_mb']:.0f} MB "
        "| 256-512 MB |",
        f"| memory: worker and its training | {found['worker_mb']:.0f} MB | 1 GB |",
        f"| memory: both in one service, under load | {found['one_service_mb']:.0f} MB | |",
        f"| a model in the store | {found['model_bytes'] / MB:.1f} MB | 10-50 MB |",
    ]
    if "production" in chaos:
        lines += ["", _survived(chaos["production"])]
    return lines


def _survived(run: dict[str, Any]) -> str:
    killed, rolling = run["killed"], run["rolling"]
    return (
        "Two webs behind HAProxy and three workers, started by the same commands, real Postgres behind PgBouncer; "
        f"one web and two workers killed (-9) at random for {killed['seconds']} s, "
        f"{killed['kills'].get('web', 0)} and {killed['kills'].get('worker', 0)} times: "
        f"{killed['acknowledged']} acknowledged jobs, none lost, none doubled, the latest begun (again) after "
        f"{killed['latest_start']:.1f} s, seals at most {run['ledger']['latest_seal']:.1f} s late; "
        f"{killed['failed_requests']} of {killed['requests']} requests met a dying web. Then each replaced in turn: "
        f"{rolling['requests']} requests, {rolling['failed_requests']} failed. The chain of "
        f"{run['ledger']['verified']} rows verifies, and all {run['ledger']['results']} results are the league's."
    )


def capacity(found: dict[str, Any]) -> str:
    """What docs/scaling.md says was measured, and what follows from it."""
    one, two = found["webs"]
    alone, both = found["workers"]
    answers = 1000 / one["postgres_cpu_ms"]
    jobs = 1000 / alone["postgres_cpu_ms"]
    size = found["database_bytes_a_match"]
    return "\n".join([
        "| separate processes on one machine of 2 cores | 1 | 2 |",
        "|---|---|---|",
        f"| web: answers a second (pages and API, 8 clients each) | {one['answers_a_second']:.0f} "
        f"| {two['answers_a_second']:.0f} |",
        f"| web: p95 | {one['p95_ms']:.0f} ms | {two['p95_ms']:.0f} ms |",
        f"| web: its CPU an answer | {one['web_cpu_ms']:.1f} ms | {two['web_cpu_ms']:.1f} ms |",
        f"| web: CPU of Postgres an answer | {one['postgres_cpu_ms']:.2f} ms | {two['postgres_cpu_ms']:.2f} ms |",
        f"| worker: jobs a second that do nothing, 4 at a time | {alone['jobs_a_second']:.0f} "
        f"| {both['jobs_a_second']:.0f} |",
        f"| worker: CPU of Postgres a job | {alone['postgres_cpu_ms']:.2f} ms | {both['postgres_cpu_ms']:.2f} ms |",
        "",
        f"Computed from that, for one core of Postgres: {answers:,.0f} answers a second (before caches: most answers "
        f"are cached for seconds and ask it nothing), or {jobs:,.0f} jobs a second. One league of {MATCHES_A_DAY} "
        f"matches a day asks {JOBS_A_DAY / DAY:.2f} jobs a second of it, "
        f"{JOBS_A_DAY / DAY * alone['postgres_cpu_ms'] / 10:.2f} % of that core. A match takes {size:,.0f} bytes in "
        f"the database with everything that is kept of its result (raw payloads, arrivals, statistics, indexes): "
        f"{size * MATCHES_A_DAY * 365 / MB:,.0f} MB a year for one league, "
        f"{size * MATCHES_A_DAY * 365 * 1000 / MB / 1024:,.0f} GB for a thousand.",
    ])  # fmt: skip
