"""The ledger and the gate: sealing, verifying 100,000 rows, judging a challenger; each beside a floor."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import time
from collections.abc import Callable
from typing import Any

import psycopg

from bench.data import real, simulated
from bench.postgres import fresh_postgres
from tipoff.domain.match import Fixture, Match
from tipoff.forecast.gate import judge
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.model import Model, fingerprint
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.state import state_after
from tipoff.forecast.table import build_table
from tipoff.ledger.chain import verify
from tipoff.ledger.seal import Knowledge, seal_body
from tipoff.storage import fixtures, ledger, matches
from tipoff.storage.pool import Connection, open_pool

SEALED = 100_000
BATCH = 500
BEGIN = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def seconds(work: Callable[[], Any]) -> float:
    """How long it took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def sealing() -> dict[str, Any]:
    """Rows a second through the database's guarded function, and verified; floors: plain inserts, bare hashing."""
    with fresh_postgres() as postgres:
        with psycopg.connect(postgres.dsn, autocommit=True) as owner:
            owner.execute("create table plain (seq bigint primary key, content text)")
            owner.execute("grant insert on plain to tipoff_app")
        with contextlib.closing(open_pool(postgres.application_dsn)) as pool, pool.connection() as connection:
            return _sealed(connection)


def _sealed(connection: Connection) -> dict[str, Any]:
    known = [
        Fixture(f"F{i}", BEGIN + (5000 + i) * MINUTE, f"PLAYER {i % 60}", f"RIVAL {i % 60}", None, None, None)
        for i in range(SEALED)
    ]
    matches.name_players(connection, known)
    fixtures.see(connection, [(BEGIN, known)])
    ledger.open_ledger(connection, "replay", "bench", BEGIN)
    state = state_after(BUILT_IN, [])
    [forecast] = state.forecast(known[:1])
    knowledge = Knowledge("a" * 64, "bench", 0, "0" * 64, 0)
    built = time.perf_counter()
    bodies = [seal_body(f, 100_000, forecast, knowledge, {}) for f in known]
    building = time.perf_counter() - built
    batches = [(bodies[i : i + BATCH], BEGIN + i * MINUTE) for i in range(0, SEALED, BATCH)]
    taken = seconds(lambda: [ledger.seal(connection, part, at) for part, at in batches])
    one = [Fixture(f"ONE{i}", BEGIN + (5000 + SEALED + i) * MINUTE, "PLAYER 1", "RIVAL 1", None, None, None)
           for i in range(500)]  # fmt: skip
    fixtures.see(connection, [(BEGIN, one)])
    single = [seal_body(f, 200_000, forecast, knowledge, {}) for f in one]
    at = BEGIN + SEALED * MINUTE
    alone = seconds(lambda: [ledger.seal(connection, [body], at) for body in single])
    plain = seconds(
        lambda: connection.execute(
            "insert into plain select n, c from unnest(%s::bigint[], %s::text[]) as t (n, c)",
            (list(range(SEALED)), bodies),
        )
    )
    rows: list[ledger.LedgerRow] = []
    reading = seconds(lambda: rows.extend(ledger.rows(connection)))
    checking = seconds(lambda: verify(rows))
    hashing = seconds(lambda: [hashlib.sha256(f"{r.prev}\n{r.content}".encode()).hexdigest() for r in rows])
    return {
        "rows": len(rows),
        "building_a_second": SEALED / building,
        "sealed_a_second_in_batches": SEALED / taken,
        "sealed_a_second_one_by_one": len(single) / alone,
        "plain_inserts_a_second": SEALED / plain,
        "verify_seconds": checking,
        "read_seconds": reading,
        "hash_alone_seconds": hashing,
    }


def gate() -> dict[str, Any]:
    """Seconds to judge a challenger against a champion on all recorded matches; floor: one walk over them."""
    known: list[Match] = real() or simulated(13_601)
    days = sorted({m.start.date() for m in known})
    until = days[len(days) // 2]
    fitted = [m for m in known if m.start.date() <= until]
    fit = {"fitted_from": (days[0] - dt.timedelta(days=1)).isoformat(), "fitted_until": until.isoformat()}
    challenger = Model(BUILT_IN, "", fit, fingerprint(build_table(fitted)), {}, state_after(BUILT_IN, known))
    judge(challenger, BUILT_IN, known)
    verdicts = []
    taken = seconds(lambda: verdicts.append(judge(challenger, BUILT_IN, known)))
    table = build_table(known)
    walk = seconds(lambda: GaussianFilter(BUILT_IN).fit(table).walk(table, 2))
    return {"matches": len(known), "passed": verdicts[0].passed, "seconds": taken, "one_walk_seconds": walk}
