"""Measurements that need a process of their own, so that peak memory is theirs: python -m bench.alone NAME."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
import time
from typing import Any

from bench.data import RECORDED, real, simulated
from bench.ledger import gate, sealing
from bench.measuring import peak_mb
from bench.postgres import fresh_postgres
from bench.replay import learn
from tipoff.forecast.fit import fit_params
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.state import empty_arrays
from tipoff.forecast.table import build_table
from tipoff.ingest.ingest import ingest_pending
from tipoff.storage import payloads
from tipoff.storage.pool import open_pool
from tipoff.upstream.recorded import RecordedSource

FIT_DAYS = 26


def fit() -> dict[str, Any]:
    """A cold fit on 26 days (compiling included), and a warm refit a day later."""
    matches = real() or simulated(14_000)
    end = matches[0].start + dt.timedelta(days=FIT_DAYS)
    first = build_table([m for m in matches if m.start < end])
    started = time.perf_counter()
    params, _ = fit_params(first)
    cold = time.perf_counter() - started
    second = build_table([m for m in matches if m.start < end + dt.timedelta(days=1)])
    started = time.perf_counter()
    fit_params(second, params)
    warm = time.perf_counter() - started
    return {"matches": len(first), "cold_seconds": cold, "warm_seconds": warm, "peak_mb": peak_mb()}


def ingest() -> dict[str, Any]:
    """Every recorded row into a fresh private Postgres, kept verbatim first."""
    if not RECORDED.is_dir():
        return {}
    source = RecordedSource(RECORDED)
    with fresh_postgres() as postgres, contextlib.closing(open_pool(postgres.application_dsn)) as pool:
        started = time.perf_counter()
        for day in source.days:
            with pool.connection() as connection:
                payloads.keep(connection, source.fetch_day(day))
        report = ingest_pending(pool, source.end)
        taken = time.perf_counter() - started
    return {"rows": report.matches, "seconds": taken, "rows_a_second": report.matches / taken}


def cost(count: int) -> dict[str, Any]:
    """Learning `count` simulated matches: microseconds a match and the memory the state and table take."""
    learn(build_table(simulated(300)))
    table = build_table(simulated(count))
    started = time.perf_counter()
    learn(table)
    taken = time.perf_counter() - started
    arrays = sum(getattr(table, name).nbytes for name in ("start", "index", "score_a", "score_b"))
    state = sum(part.nbytes for part in empty_arrays(table, BUILT_IN))
    return {
        "matches": len(table), "microseconds_a_match": 1e6 * taken / len(table),
        "table_bytes_a_match": arrays / len(table), "state_mb": state / 2**20, "peak_mb": peak_mb(),
    }  # fmt: skip


def main() -> None:
    """Print the measurement named on the command line as JSON."""
    name, *arguments = sys.argv[1:]
    made = (
        {"fit": fit, "ingest": ingest, "sealing": sealing, "gate": gate}[name]()
        if not arguments
        else cost(int(arguments[0]))
    )
    print(json.dumps(made))


if __name__ == "__main__":
    main()
