"""The full pipeline as one job on recorded days: statements, peak memory, seconds."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from bench.data import RECORDED
from tests.jobs import ended, enqueue, workers
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.migrations import migrate
from tipoff.storage.pool import open_pool
from tipoff.upstream.recorded import RecordedSource

BOOKKEEPING = ("update pipeline_jobs set progress",)
"""progress, which depends on how long it takes"""


def pipeline() -> dict[str, Any]:
    """The last 30 recorded days, and all of them, each into a fresh database, with training."""
    if not RECORDED.is_dir():
        return {}
    days = len(RecordedSource(RECORDED).days)
    return {"thirty_days": _run(30), "everything": {"days": days, **_run(days)}}


def _run(days: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="tipoff-bench-") as home:
        Path(home).chmod(0o755)
        postgres = PrivatePostgres(Path(home))
        try:
            with contextlib.closing(open_pool(postgres.start())) as owners:
                migrate(owners)
            with psycopg.connect(postgres.dsn, autocommit=True) as connection:
                connection.execute("alter system set log_line_prefix = '@%a@ '")
                connection.execute("alter system set log_statement = 'all'")
                connection.execute("select pg_reload_conf()")
            arguments = ("--no-schedules", "--concurrency", "1")
            with (
                contextlib.closing(open_pool(postgres.application_dsn)) as pool,
                workers(
                    postgres.application_dsn, Path(home), 1, *arguments, TIPOFF_SOURCE=f"recorded:{RECORDED}"
                ) as [worker],
            ):
                job_id = enqueue(pool, "data_pipeline", history_days=days, train_model=True)
                job = ended(pool, job_id, 290)
                assert job.status == "completed", job.error
                assert job.started_at is not None
                assert job.finished_at is not None
                said = re.search(r"completed, (\d+) MB", worker.output)
            log = (postgres.data.parent / "server.log").read_text(errors="replace")
        finally:
            postgres.reset()
    statements = re.findall(r"@tipoff-job@ LOG:  (?:statement|execute [^:]*): ([^\n]*\n?[^\n@]*)", log)
    texts = [" ".join(text.split()).lower() for text in statements]
    queries = [t for t in texts if t not in ("begin", "commit", "rollback", "") and not t.startswith(BOOKKEEPING)]
    return {
        "results": job.result["predict"]["results"], "queries": len(queries),
        "begin_and_commit": sum(t in ("begin", "commit", "rollback") for t in texts),
        "peak_mb": int(said[1]) if said else None,
        "seconds": round((job.finished_at - job.started_at).total_seconds(), 1),
    }  # fmt: skip
