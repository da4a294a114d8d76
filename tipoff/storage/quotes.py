"""Posted prices that were seen, and those that wait until their match is known."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from tipoff.domain.match import Fixture
from tipoff.domain.quote import Posted, Quote, Unmatched
from tipoff.storage.pool import Connection

QUOTE = "external_id, bookmaker, market, line, price_over, price_under, quoted_at"
WAITING = "external_id, start_at, player_a, player_b, bookmaker, market, line, price_over, price_under, quoted_at"
"""in the order of the fields of Posted"""
MATCHES = """
    (select external_id, start_at, player_a, player_b, team_a, team_b, stream from matches
     union all
     select external_id, start_at, player_a, player_b, team_a, team_b, stream from upcoming_matches u
     where status <> 'played' and not exists (select 1 from matches m where m.external_id = u.external_id))
"""
PRICEABLE = (
    "greatest(price_over, price_under) < 'Infinity' and "
    "(market = 'winner' or (line between -500 and 500 and line * 2 = round(line * 2)))"
)
"""finite prices, and lines of whole or half points: versions before this took others too"""


def keep(connection: Connection, quotes: Iterable[Quote]) -> tuple[int, list[Quote]]:
    """Store quotes, each once; how many were new, and those that say another price than what is stored."""
    connection.execute(
        "create temp table incoming_quotes (external_id text, bookmaker text, market text, line float8, "
        "price_over float8, price_under float8, quoted_at timestamptz) on commit drop"
    )
    with connection.cursor().copy("copy incoming_quotes from stdin") as copy:
        for q in quotes:
            copy.write_row((q.external_id, q.bookmaker, q.market, q.line, q.over, q.under, q.quoted_at))
    cursor = connection.execute(
        f"insert into odds_quotes ({QUOTE}) select {QUOTE} from incoming_quotes on conflict do nothing"
    )
    differing = connection.execute(
        f"""
        select distinct {", ".join(f"i.{name}" for name in QUOTE.split(", "))}
        from incoming_quotes i join odds_quotes q
          on (q.external_id, q.bookmaker, q.market, q.quoted_at) = (i.external_id, i.bookmaker, i.market, i.quoted_at)
          and q.line is not distinct from i.line
        where (q.price_over, q.price_under) <> (i.price_over, i.price_under)
        """
    ).fetchall()
    connection.execute("drop table incoming_quotes")
    return cursor.rowcount, [Quote(*row) for row in differing]


def matches_near(
    connection: Connection, external_ids: Sequence[str], since: dt.datetime | None, until: dt.datetime | None
) -> list[Fixture]:
    """Matches and fixtures with these ids, and those that start from `since` to `until` (None: only ids)."""
    rows = connection.execute(
        f"select * from {MATCHES} as known "
        "where external_id = any(%(ids)s) or start_at between %(since)s::timestamptz and %(until)s::timestamptz",
        {"ids": list(external_ids), "since": since, "until": until},
    ).fetchall()
    return [Fixture(*row) for row in rows]


def take_waiting(connection: Connection) -> list[Posted]:
    """Every quote that waits for its match; until the transaction ends nobody else takes them."""
    connection.execute("lock table odds_waiting in share row exclusive mode")
    rows = connection.execute(
        f"select {WAITING} from odds_waiting where reason <> 'contradicts' order by id"
    ).fetchall()
    return [Posted(*row) for row in rows]


def wait(connection: Connection, unmatched: Iterable[Unmatched]) -> None:
    """Let these wait instead of those that waited; contradictions stay."""
    connection.execute(
        f"create temp table unmatched on commit drop as select {WAITING}, reason, detail from odds_waiting "
        "with no data"
    )
    with connection.cursor().copy("copy unmatched from stdin") as copy:
        for u in unmatched:
            copy.write_row((*dataclasses.astuple(u.posted), u.reason, u.detail))
    same = " and ".join(f"w.{name} is not distinct from u.{name}" for name in WAITING.split(", "))
    connection.execute(
        f"delete from odds_waiting w where reason <> 'contradicts' "
        f"and not exists (select 1 from unmatched u where {same})"
    )
    connection.execute(
        f"insert into odds_waiting as w ({WAITING}, reason, detail) "
        f"select distinct on ({WAITING}) {WAITING}, reason, detail from unmatched "
        f"on conflict ({WAITING}) do update set reason = excluded.reason, detail = excluded.detail "
        "where (w.reason, w.detail) <> (excluded.reason, excluded.detail)"
    )
    connection.execute("drop table unmatched")


def waiting(connection: Connection) -> list[Unmatched]:
    """What waits, oldest quote first."""
    rows = connection.execute(f"select {WAITING}, reason, detail from odds_waiting order by quoted_at, id").fetchall()
    return [Unmatched(Posted(*row[:-2]), row[-2], row[-1]) for row in rows]


def all_quotes(connection: Connection) -> list[Quote]:
    """Every quote of a match that was sealed, of those that can be priced."""
    rows = connection.execute(
        f"select {QUOTE} from odds_quotes q where {PRICEABLE} "
        "and exists (select 1 from match_predictions p where p.external_id = q.external_id)"
    ).fetchall()
    return [Quote(*row) for row in rows]


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Filters of a list of quotes; `since` is included, `until` is not."""

    external_id: str | None = None
    market: str | None = None
    bookmaker: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    in_play: bool | None = None


FILTERS = {
    "external_id": "q.external_id = %(external_id)s",
    "market": "q.market = %(market)s",
    "bookmaker": "q.bookmaker = %(bookmaker)s",
    "since": "q.quoted_at >= %(since)s",
    "until": "q.quoted_at < %(until)s",
    "in_play": "(q.quoted_at >= m.start_at) = %(in_play)s",
}


def page(
    connection: Connection, wanted: Wanted, limit: int, before: tuple[dt.datetime, int] | None
) -> list[tuple[Any, ...]]:
    """Quotes, newest first: rows of (id, start of the match or None, the fields of a quote)."""
    conditions = [text for name, text in FILTERS.items() if getattr(wanted, name) is not None]
    if before is not None:
        conditions.append("(q.quoted_at, q.id) < (%(at)s, %(id)s)")
    query = f"""
        select q.id, m.start_at, {", ".join(f"q.{name}" for name in QUOTE.split(", "))} from odds_quotes q
        left join lateral (
          select start_at from matches where external_id = q.external_id
          union all
          select start_at from upcoming_matches where external_id = q.external_id limit 1
        ) m on true
        where {" and ".join(conditions) or "true"} order by q.quoted_at desc, q.id desc limit %(limit)s
    """
    values = {**dataclasses.asdict(wanted), "limit": limit}
    values |= {"at": before[0], "id": before[1]} if before else {}
    return connection.execute(query.encode(), values).fetchall()


def newest_of(
    connection: Connection, external_ids: Sequence[str], since: dt.datetime, until: dt.datetime
) -> list[Quote]:
    """The newest quote of each bookmaker's market of these matches, of those that can be priced, in that time.

    One whose time was still to come when it was imported has a wrong time: it is left out, then and later.
    """
    rows = connection.execute(
        f"select distinct on (external_id, market, bookmaker) {QUOTE} from odds_quotes "
        f"where external_id = any(%s) and quoted_at between %s and %s and {PRICEABLE} "
        "and quoted_at <= first_seen_at + interval '1 minute' "
        "order by external_id, market, bookmaker, quoted_at desc, id desc",
        (list(external_ids), since, until),
    ).fetchall()
    return [Quote(*row) for row in rows]
