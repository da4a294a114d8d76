"""The database: whether it answers and how, what stands before it, what may be done there, what it holds."""

from __future__ import annotations

import contextlib
import datetime as dt
import statistics
import time
from collections.abc import Callable, Iterator

import psycopg

from tipoff.doctor.line import PATIENCE, Level, Line, asked, judged, ok, skipped
from tipoff.refusals.addresses import on_a_private_network, place_of
from tipoff.settings import Settings
from tipoff.storage import doctor, keys, models
from tipoff.storage.database import address
from tipoff.storage.deadlines import shut
from tipoff.storage.hearing import hears
from tipoff.storage.migrations import files
from tipoff.storage.pool import Connection, configure, connection_kwargs

OLDEST = 15
"""the oldest Postgres with which it is tested"""
SLOW = 0.1
"""seconds of a round trip from which on pages and jobs are felt to be slow"""
TIGHT = 0.8
SKEW = (5.0, 60.0)
"""seconds between two clocks: odd, and too much for forecasts that are sealed minutes ahead"""
SILENT = 30.0
"""seconds after which a worker that said nothing is gone"""
NEXT = (
    "encryption", "pooler", "connections", "rights", "schema", "clock", "operator key", "champion", "workers"
)  # fmt: skip


class Database:
    """Asks one question after another on one connection; what hangs is cut off, and the rest skipped."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._dsn = ""
        self._connection: Connection | None = None
        self._new = True

    def lines(self) -> Iterator[Line]:
        """Every question on the database."""
        first = asked("database", self._reached, "check DATABASE_URL; on a laptop: tipoff up")
        yield first
        if self._connection is None:
            for name in NEXT:
                yield skipped(name, "the database does not answer")
            return
        with contextlib.closing(self._connection):
            yield from self._questions(self._connection)

    def _questions(self, connection: Connection) -> Iterator[Line]:
        questions: tuple[tuple[str, Callable[[], Line]], ...] = (
            ("encryption", lambda: self._encryption(connection)), ("pooler", lambda: self._pooler(connection)),
            ("connections", lambda: _connections(connection)), ("rights", lambda: _rights(connection)),
            ("schema", lambda: self._schema(connection)), ("clock", lambda: _clock(connection)),
            ("operator key", lambda: self._keys(connection)), ("champion", lambda: _champion(connection)),
            ("workers", lambda: _workers(connection)),
        )  # fmt: skip
        for name, question in questions:
            if connection.closed:
                yield skipped(name, "the database stopped answering")
            elif self._new and name in ("operator key", "champion", "workers"):
                yield skipped(name, "the schema is missing")
            else:
                yield asked(name, question, "look at the database's log, and ask again", cut=self._cut)

    def _cut(self) -> None:
        if self._connection is not None:
            shut(self._connection)
            self._connection.close()

    def _reached(self) -> Line:
        self._dsn = address(self._settings)
        connection = _connected(self._dsn)
        seconds = statistics.median(_round_trip(connection) for _ in range(5))
        found = doctor.server(connection)
        self._connection = connection
        place = place_of(self._dsn)
        where = f"{place.host or 'this machine'}:{place.port or 5432}" if place else "there"
        version = found.version // 10000
        return judged(
            "database", f"Postgres {version} at {where} answers in {1000 * seconds:.1f} ms",
            warn=seconds > SLOW, error=version < OLDEST,
            mend=f"use Postgres {OLDEST} or newer" if version < OLDEST else "run in the region of the database",
        )  # fmt: skip

    def _encryption(self, connection: Connection) -> Line:
        place = place_of(self._dsn)
        if connection.pgconn.ssl_in_use:
            return ok("encryption", "TLS")
        if place is not None and on_a_private_network(place.host):
            return ok("encryption", "none, and none is needed: it does not leave this machine or network")
        return Line("encryption", Level.ERROR, "none", "add ?sslmode=require to DATABASE_URL")

    def _pooler(self, connection: Connection) -> Line:
        with contextlib.closing(_connected(self._dsn)) as other:
            behind = connection.info.backend_pid != doctor.session_process(connection)
            if behind and doctor.is_shared(connection, other):
                return Line(
                    "pooler", Level.WARN, "in transaction mode: news is polled for, and arrives up to a second later",
                    "take the session pooler's address (Supabase: port 5432)",
                )  # fmt: skip
            mode = "in session mode, whose clients are counted (Supabase: 15 on small plans)" if behind else "none"
            heard = hears(self._dsn, connection, other)
            return judged(
                "pooler", f"{mode}; notifications {'arrive' if heard else 'do not arrive: news is polled for'}",
                warn=not heard, mend="take an address on which LISTEN works (Supabase: the session pooler)",
            )  # fmt: skip

    def _schema(self, connection: Connection) -> Line:
        applied, wanted = doctor.schema_versions(connection), [version for version, _, _ in files()]
        missing = [version for version in wanted if version not in applied]
        self._new = wanted[0] in missing
        if missing:
            seen = f"{len(missing)} migrations are missing, from {missing[0]} on"
            return Line("schema", Level.ERROR, seen, "python -m tipoff db migrate")
        newer = [version for version in applied if version > wanted[-1]]
        return judged(
            "schema", f"{applied[-1]}, " + ("newer than this code" if newer else "as this code wants it"),
            warn=bool(newer), mend="deploy the newer code here too",
        )  # fmt: skip

    def _keys(self, connection: Connection) -> Line:
        if self._settings.operator_key is not None:
            return ok("operator key", "OPERATOR_API_KEY is set")
        if keys.any_usable(connection):
            return ok("operator key", "there are keys in the database")
        return Line(
            "operator key", Level.WARN, "none: nobody can start jobs or sign in",
            "set OPERATOR_API_KEY, or tipoff keys create --scope admin --name NAME",
        )  # fmt: skip


def _connected(dsn: str) -> Connection:
    kwargs = {**connection_kwargs("tipoff doctor"), "connect_timeout": 4, "autocommit": True}
    connection = psycopg.connect(dsn, **kwargs)
    configure(connection, f"{1000 * PATIENCE * 0.8:.0f}ms")
    return connection


def _round_trip(connection: Connection) -> float:
    begun = time.perf_counter()
    connection.execute("select 1")
    return time.perf_counter() - begun


def _connections(connection: Connection) -> Line:
    used, most = doctor.connections(connection)
    return judged(
        "connections", f"{used} of {most} of the server are in use; a web process takes 5, a worker 3 and 2 a job",
        warn=used > TIGHT * most, mend="run fewer processes, or a larger plan of the database",
    )  # fmt: skip


def _rights(connection: Connection) -> Line:
    found = doctor.rights(connection)
    bad = found.unreadable or found.unwritable
    if bad:
        return Line(
            "rights", Level.ERROR, f"{found.role} may not use {', '.join(bad[:5])}",
            "log in as the tables' owner or as tipoff_app, or grant what the migrations grant to it",
        )  # fmt: skip
    if found.unguarded:
        return Line(
            "rights", Level.ERROR, f"without row level security: {', '.join(found.unguarded[:5])}",
            "alter table ... enable row level security: Supabase's API shows them to everybody who was granted them",
        )  # fmt: skip
    return ok("rights", f"{found.role}" + (" owns the tables" if found.owns else " uses the tables and owns none"))


def _clock(connection: Connection) -> Line:
    before = dt.datetime.now(dt.UTC)
    theirs = doctor.server(connection).now
    return clocks("clock", before + (dt.datetime.now(dt.UTC) - before) / 2, theirs, "the database's")


def clocks(name: str, ours: dt.datetime, theirs: dt.datetime, whose: str) -> Line:
    """How far this machine's clock is from another one."""
    seconds = (ours - theirs).total_seconds()
    return judged(
        name, f"this machine's is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} {whose}",
        warn=abs(seconds) > SKEW[0], error=abs(seconds) > SKEW[1], mend="keep time by NTP on this machine",
    )  # fmt: skip


def _champion(connection: Connection) -> Line:
    found = models.champion(connection)
    if found is None:
        return Line("champion", Level.WARN, "no model forecasts yet", "python -m tipoff jobs run data_pipeline")
    return ok("champion", f"model {found.version}, trained {found.created_at:%Y-%m-%d %H:%M} UTC")


def _workers(connection: Connection) -> Line:
    alive, last = doctor.workers(connection, SILENT)
    since = f"; the last one was seen {last:%Y-%m-%d %H:%M:%S} UTC" if last else ""
    return judged(
        "workers", f"{alive} alive" + ("" if alive else since), error=not alive,
        mend="start python -m tipoff worker, or set TIPOFF_ONE_SERVICE=true for the web process",
    )  # fmt: skip
