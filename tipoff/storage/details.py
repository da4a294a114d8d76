"""What the league says of single matches: which are to be asked for, what came of it, points by period."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

from tipoff.domain.match import KNOWABLE_AFTER, Match
from tipoff.domain.period import Period
from tipoff.storage.matches import COLUMNS, match_of
from tipoff.storage.pool import Connection


@dataclasses.dataclass(frozen=True, slots=True)
class Due:
    """A match whose details are to be asked for; `revision` is that of its result, `tries` those before for it."""

    match: Match
    revision: int
    tries: int


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking: whole, raw (kept, but not believed), missing or failed; `next_at` is when to ask again."""

    outcome: str
    reason: str
    next_at: dt.datetime | None
    payload_id: int | None = None
    periods: Sequence[Period] = ()


def due(connection: Connection, now: dt.datetime, since: dt.datetime, limit: int) -> list[Due]:
    """Final matches that began after `since`, that were not asked for or are to be asked for again; newest first."""
    rows = connection.execute(
        f"""
        select {", ".join(f"m.{name}" for name in COLUMNS.split(", "))}, m.revision,
          case when d.revision = m.revision then d.tries else 0 end
        from matches m left join match_details d using (external_id)
        where m.status = 'final' and not m.older and m.start_at between %(since)s and %(now)s
          and (d.external_id is null or d.revision < m.revision or d.next_at <= %(now)s)
        order by m.start_at desc, m.external_id limit %(limit)s
        """,
        {"now": now, "since": since, "limit": limit},
    ).fetchall()
    return [Due(match_of(row[:10]), row[10], row[11]) for row in rows]


def keep(connection: Connection, asked: Due, outcome: Outcome, now: dt.datetime) -> None:
    """Note what came of asking, in the caller's transaction; periods of before go."""
    external_id = asked.match.external_id
    connection.execute("delete from match_periods where external_id = %s", (external_id,))
    connection.execute(
        """
        insert into match_details (external_id, revision, tries, outcome, reason, asked_at, next_at, payload_id)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (external_id) do update set
          revision = excluded.revision, tries = excluded.tries, outcome = excluded.outcome,
          reason = excluded.reason, asked_at = excluded.asked_at, next_at = excluded.next_at,
          payload_id = excluded.payload_id
        """,
        (
            external_id, asked.revision, asked.tries + 1, outcome.outcome, outcome.reason, now, outcome.next_at,
            outcome.payload_id,
        ),
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into match_periods (external_id, period, points_a, points_b) values (%s, %s, %s, %s)",
            [(external_id, p.name, p.points_a, p.points_b) for p in outcome.periods],
        )


def counts(connection: Connection) -> dict[str, int]:
    """How many matches there are of each outcome."""
    rows = connection.execute("select outcome, count(*) from match_details group by outcome order by 1").fetchall()
    return {outcome: int(number) for outcome, number in rows}


def known_at(connection: Connection, moment: dt.datetime) -> list[tuple[str, Period]]:
    """(external id, period) of matches whose result was knowable at `moment` and still stands, in their order.

    As results are: half an hour after the start. Whoever forecasts from periods reads them here.
    """
    rows = connection.execute(
        """
        select p.external_id, p.period, p.points_a, p.points_b
        from match_periods p join match_details d using (external_id) join matches m using (external_id)
        where m.status = 'final' and m.revision = d.revision and m.start_at <= %s
        order by m.start_at, p.external_id collate "C", (p.period = 'overtime'), p.period
        """,
        (moment - KNOWABLE_AFTER,),
    ).fetchall()
    return [(row[0], Period(*row[1:])) for row in rows]
