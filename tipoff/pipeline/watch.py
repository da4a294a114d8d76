"""The record, the daily performance of models, and the watch for drift."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from tipoff.backtest.report import as_json
from tipoff.ledger.chain import Head, Verification, verify
from tipoff.ledger.drift import DAYS, Drift, watch
from tipoff.ledger.record import PERIODS, Record, make_record, make_records, read_ledger, sealed_in
from tipoff.storage import ledger, matches, models, quotes, reports, track_record
from tipoff.storage.pool import Pool

OLDEST = dt.timedelta(hours=1)
"""after which the record is worked out anew though nothing is new: posted prices and horizons may be"""
LISTED = 100
"""entries of a list in the record that is kept"""


def record(pool: Pool, horizons: Sequence[int], now: dt.datetime, period: str = "day") -> Record | None:
    """The whole record as of `now`; None where nothing was ever sealed."""
    with pool.connection() as connection, connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        read = read_ledger(ledger.rows(connection))
        results = [m for m in matches.results(connection) if m.start <= now]
        posted = quotes.all_quotes(connection)
    return None if read is None else make_record(read, horizons, results, period, posted)


def refresh_record(pool: Pool, horizons: Sequence[int], now: dt.datetime) -> int | None:
    """Work the track record out and keep it; sealed forecasts in it, or None where nothing is new."""
    with pool.connection() as connection, connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        basis = track_record.basis(connection)
        if not basis.ledger_seq or basis == track_record.kept_basis(connection, OLDEST):
            return None
        read = read_ledger(ledger.rows(connection))
        results = [m for m in matches.results(connection) if m.start <= now]
        posted = quotes.all_quotes(connection)
    assert read is not None  # noqa: S101 - the ledger has rows
    made = make_records(read, horizons, results, PERIODS, posted)
    with pool.connection() as connection:
        track_record.keep(connection, basis, {period: _document(record) for period, record in made.items()})
    return len(read.sealed)


def _document(record: Record) -> dict[str, Any]:
    """The record as JSON; of long lists the newest, and how many there are."""
    made: dict[str, Any] = as_json(record)
    for coverage in made["coverage"]:
        missing = coverage.pop("missing")
        coverage |= {"missing": len(missing), "missing_newest": missing[-LISTED:]}
    corrections = made.pop("corrections")
    return made | {"corrections": len(corrections), "corrections_newest": corrections[-LISTED:]}


def verify_database(pool: Pool, heads: Sequence[Head] = ()) -> tuple[Verification, list[int], bool]:
    """Verify the chain; rows at which match_predictions differs; whether this role could switch the guard off."""
    with pool.connection() as connection, connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        found = verify(ledger.rows(connection), heads)
        return found, ledger.mismatched_predictions(connection), ledger.owns_ledger(connection)


def keep_verification(pool: Pool, heads: Sequence[Head]) -> Verification:
    """Verify the whole ledger and keep what came of it, for the health check to judge."""
    found, mismatched, _ = verify_database(pool, heads)
    broken = None
    if found.broken is not None:
        broken = f"row {found.broken.seq}: {found.broken.reason}"
    elif mismatched:
        broken = f"match_predictions differs from the ledger at row {mismatched[0]}"
    with pool.connection() as connection:
        reports.find(connection, "ledger", {"rows": found.rows, "heads": found.heads_compared, "broken": broken})
    return found


def keep_drift(pool: Pool, horizons: Sequence[int], now: dt.datetime) -> list[Drift]:
    """Watch the active model for drift and keep what was seen, for the health check to judge."""
    watched = drift(pool, horizons, now)
    with pool.connection() as connection:
        active = models.active(connection)
        if active is not None:
            seen = [dataclasses.asdict(one) for one in watched]
            reports.find(connection, "drift", {"model": active[0], "watched": seen})
    return watched


def refresh_performance(
    pool: Pool, horizons: Sequence[int], now: dt.datetime, since: dt.datetime | None = None
) -> int:
    """Write model_performance from the newest grades at the last horizon; returns how many rows."""
    with pool.connection() as connection, connection.transaction():
        rows = ledger.performance(connection, min(horizons), _midnight(since))
        models.keep_performance(connection, [(*row, now) for row in rows])
    return len(rows)


def drift(pool: Pool, horizons: Sequence[int], now: dt.datetime) -> list[Drift]:
    """The active model's sealed forecasts of the last days against what it promised."""
    with pool.connection() as connection, connection.transaction():
        active = models.active(connection)
        begin = ledger.first_seq_since(connection, now - dt.timedelta(days=DAYS))
        if active is None or begin is None:
            return []
        sealed = sealed_in(json.loads(row.content) for row in ledger.rows(connection, begin))
    near = [
        s for s in sealed
        if s.model == active[0] and s.horizon == min(horizons) and s.status == "graded"
        and s.start >= now - dt.timedelta(days=DAYS)
    ]  # fmt: skip
    return watch(near, active[1].get("measured", {}))


def _midnight(moment: dt.datetime | None) -> dt.datetime | None:
    """The beginning of its UTC day, so that a day's row is always made from the whole day."""
    return None if moment is None else moment.replace(hour=0, minute=0, second=0, microsecond=0)
