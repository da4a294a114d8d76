"""The ledger's SQL: append through guarded functions, read; nothing here can change a row.

`at` is None on a ledger that goes by the database's clock, and the replay's time on one that was opened as a
replay; the database refuses the other way round.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from tipoff.domain.match import Fixture
from tipoff.errors import LedgerError
from tipoff.storage.pool import Connection

BATCH = 5000


@dataclasses.dataclass(frozen=True, slots=True)
class LedgerRow:
    """One link of the chain; `content` is canonical JSON, `hash` SHA-256 over prev, newline, content."""

    seq: int
    prev: str
    hash: str
    content: str


@dataclasses.dataclass(frozen=True, slots=True)
class Gradable:
    """A sealed forecast whose match is over, and the result as believed now."""

    seq: int
    content: str
    external_id: str
    status: str
    start: dt.datetime
    score_a: int | None
    score_b: int | None


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """What the database's functions refuse becomes a LedgerError that says the same."""
    try:
        yield
    except (psycopg.errors.InvalidParameterValue, psycopg.errors.ObjectNotInPrerequisiteState) as error:
        raise LedgerError(error.diag.message_primary or str(error)) from error


def content(row: LedgerRow) -> dict[str, Any]:
    """What a row says."""
    read: dict[str, Any] = json.loads(row.content)
    return read


def open_ledger(
    connection: Connection, clock: str = "database", label: str = "", at: dt.datetime | None = None
) -> None:
    """Write row 1 where there is none: whose clock the ledger goes by ("database" or "replay"), and a label."""
    ascii_label = label.encode("ascii", "replace").decode()
    connection.execute("select ledger_open(%s, %s, %s)", (clock, ascii_label, at))


def now(connection: Connection, at: dt.datetime | None) -> dt.datetime:
    """The ledger's time; raises LedgerError when it goes by another clock than `at` says."""
    with _plainly():
        [(moment,)] = connection.execute("select ledger_now(%s)", (at,)).fetchall()
    known: dt.datetime = moment
    return known


def seal(connection: Connection, bodies: Sequence[str], at: dt.datetime | None = None) -> list[str]:
    """Seal canonical bodies; for each, in order, its row number or why it was not sealed."""
    with _plainly():
        rows = connection.execute("select * from ledger_seal(%s::text[], %s)", (list(bodies), at)).fetchall()
    return [row[0] for row in rows]


def grade(connection: Connection, bodies: Sequence[str], at: dt.datetime | None = None) -> list[str]:
    """Append grades; for each, in order, its row number or why not."""
    with _plainly():
        rows = connection.execute("select * from ledger_grade(%s::text[], %s)", (list(bodies), at)).fetchall()
    return [row[0] for row in rows]


def rows(connection: Connection, since: int = 0) -> Iterator[LedgerRow]:
    """Rows from number `since` on, read in batches of one snapshot; the transaction stays open meanwhile."""
    with connection.cursor(name="ledger_rows") as cursor:
        cursor.itersize = BATCH
        cursor.execute("select seq, prev, hash, content from ledger where seq >= %s order by seq", (since,))
        for row in cursor:
            yield LedgerRow(*row)


def head(connection: Connection) -> LedgerRow | None:
    """The newest row."""
    row = connection.execute("select seq, prev, hash, content from ledger order by seq desc limit 1").fetchone()
    return None if row is None else LedgerRow(*row)


def first(connection: Connection) -> LedgerRow | None:
    """Row 1."""
    row = connection.execute("select seq, prev, hash, content from ledger where seq = 1").fetchone()
    return None if row is None else LedgerRow(*row)


def due(connection: Connection, moment: dt.datetime, horizons: Sequence[int]) -> list[tuple[Fixture, int]]:
    """Fixtures to seal at `moment`: within a horizon (minutes), before the next one, and not sealed there."""
    ordered = sorted(horizons, reverse=True)
    nexts = [*ordered[1:], 0]
    rows = connection.execute(
        """
        select u.external_id, u.start_at, u.player_a, u.player_b, u.team_a, u.team_b, u.stream, h.horizon
        from upcoming_matches u, unnest(%(horizons)s::integer[], %(nexts)s::integer[]) as h (horizon, next)
        where u.status = 'scheduled' and %(at)s >= u.start_at - make_interval(mins => h.horizon)
          and %(at)s < u.start_at - make_interval(mins => h.next)
          and not exists (select 1 from match_predictions p where p.external_id = u.external_id
            and p.horizon = h.horizon and p.start_at = u.start_at)
        order by u.start_at, u.external_id, h.horizon desc
        """,
        {"at": moment, "horizons": ordered, "nexts": nexts},
    ).fetchall()
    return [(Fixture(*row[:7]), int(row[7])) for row in rows]


def gradable(connection: Connection, moment: dt.datetime, since: dt.datetime | None = None) -> list[Gradable]:
    """Sealed forecasts whose result is known at `moment` and not graded yet, or graded on another result.

    `since` leaves out matches that were last observed before it: nothing can have changed about them. Older results
    grade nothing: they tell nothing of void matches.
    """
    rows = connection.execute(
        """
        select l.seq, l.content, m.external_id, m.status, m.start_at, m.score_a, m.score_b
        from matches m join ledger l on l.external_id = m.external_id and l.kind = 'seal'
        left join lateral (
          select (g.content::jsonb) #> '{body,result}' as result from ledger g
          where g.kind = 'grade' and g.grades = l.seq order by g.seq desc limit 1
        ) g on true
        where not m.older and (m.last_observed_at <= %(at)s or m.start_at + interval '30 minutes' <= %(at)s)
          and (%(since)s::timestamptz is null or m.last_observed_at >= %(since)s)
          and (g.result is null or (g.result ->> 'status', g.result ->> 'start', g.result ->> 'score_a',
            g.result ->> 'score_b') is distinct from (m.status, ledger_time(m.start_at), m.score_a::text,
            m.score_b::text))
        order by l.seq
        """,
        {"at": moment, "since": since},
    ).fetchall()
    return [Gradable(*row) for row in rows]


def mismatched_predictions(connection: Connection) -> list[int]:
    """Row numbers at which match_predictions does not say what the ledger says, either way, first 10."""
    rows = connection.execute(
        """
        select coalesce(l.seq, p.ledger_seq)
        from (select seq, (content::jsonb) -> 'body' as b, (content::jsonb) ->> 'at' as at from ledger
          where kind = 'seal') l
        full join match_predictions p on p.ledger_seq = l.seq
        where l.seq is null or p.ledger_seq is null
          or (p.external_id, p.horizon::text, ledger_time(p.start_at), ledger_time(p.sealed_at), p.model_sha256)
            is distinct from (b ->> 'external_id', b ->> 'horizon', b ->> 'start', l.at, b ->> 'model')
          or (p.p_a, p.margin_mean, p.margin_sd, p.total_mean, p.total_sd) is distinct from
            ((b #>> '{forecast,p_a}')::float8, (b #>> '{forecast,margin_mean}')::float8,
             (b #>> '{forecast,margin_sd}')::float8, (b #>> '{forecast,total_mean}')::float8,
             (b #>> '{forecast,total_sd}')::float8)
        order by 1 limit 10
        """
    ).fetchall()
    return [int(row[0]) for row in rows]


def first_seq_since(connection: Connection, start: dt.datetime) -> int | None:
    """The first row that seals a match starting at `start` or later."""
    row = connection.execute(
        "select min(ledger_seq) from match_predictions where start_at >= %s", (start,)
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def performance(connection: Connection, horizon: int, since: dt.datetime | None) -> list[tuple[object, ...]]:
    """Rows of (model, UTC day of the start, matches, mean scores) of newest grades at `horizon`."""
    return connection.execute(
        """
        select p.model_sha256, (g.result ->> 'start')::timestamptz::date, count(*),
          avg((g.scores ->> 'log_loss')::float8), avg((g.scores ->> 'brier')::float8),
          avg((g.scores ->> 'hit')::float8), avg((g.scores ->> 'margin_error')::float8),
          avg((g.scores ->> 'total_error')::float8), avg((g.scores ->> 'margin_inside')::float8),
          avg((g.scores ->> 'total_inside')::float8)
        from match_predictions p
        join lateral (
          select (l.content::jsonb) #> '{body,result}' as result, (l.content::jsonb) #> '{body,scores}' as scores,
            (l.content::jsonb) #>> '{body,status}' as status
          from ledger l where l.kind = 'grade' and l.grades = p.ledger_seq order by l.seq desc limit 1
        ) g on g.status = 'graded'
        where p.horizon = %(horizon)s and (%(since)s::timestamptz is null or p.start_at >= %(since)s)
          and exists (select 1 from model_registry r where r.sha256 = p.model_sha256)
        group by 1, 2 order by 2, 1
        """,
        {"horizon": horizon, "since": since},
    ).fetchall()


def owns_ledger(connection: Connection) -> bool:
    """Whether the connection's role could switch the guard off: it owns the table or is a superuser."""
    row = connection.execute(
        "select pg_has_role(current_user, c.relowner, 'member') or r.rolsuper from pg_class c, pg_roles r "
        "where c.oid = 'public.ledger'::regclass and r.rolname = current_user"
    ).fetchone()
    return bool(row and row[0])


def keep_ratings(connection: Connection, values: Sequence[tuple[Any, ...]]) -> None:
    """Rows of (player, at, model, last arrival, matches, strength, deviation); one known already stays."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into player_ratings values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing", values
        )


def rating_history(connection: Connection, player: str) -> list[tuple[dt.datetime, str, int, float, float]]:
    """(at, model, matches, strength, deviation) of a player, oldest first."""
    found = connection.execute(
        "select at, model_sha256, matches, strength, strength_sd from player_ratings where player = %s order by at",
        (player,),
    ).fetchall()
    return [(row[0], row[1], int(row[2]), float(row[3]), float(row[4])) for row in found]


def page(connection: Connection, after: int, limit: int, kind: str | None) -> list[LedgerRow]:
    """Rows after number `after`, oldest first."""
    found = connection.execute(
        "select seq, prev, hash, content from ledger where seq > %(after)s "
        "and (%(kind)s::text is null or kind = %(kind)s) order by seq limit %(limit)s",
        {"after": after, "kind": kind, "limit": limit},
    ).fetchall()
    return [LedgerRow(*row) for row in found]
