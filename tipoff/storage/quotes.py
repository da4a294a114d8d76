"""Posted prices that were seen."""

from __future__ import annotations

from collections.abc import Iterable

from tipoff.domain.quote import Quote
from tipoff.storage.pool import Connection


def keep(connection: Connection, quotes: Iterable[Quote]) -> int:
    """Store quotes, each once; returns how many were new."""
    connection.execute(
        "create temp table incoming_quotes (external_id text, bookmaker text, market text, line float8, "
        "price_over float8, price_under float8, quoted_at timestamptz) on commit drop"
    )
    with connection.cursor().copy("copy incoming_quotes from stdin") as copy:
        for q in quotes:
            copy.write_row((q.external_id, q.bookmaker, q.market, q.line, q.over, q.under, q.quoted_at))
    cursor = connection.execute(
        "insert into odds_quotes (external_id, bookmaker, market, line, price_over, price_under, quoted_at) "
        "select * from incoming_quotes on conflict do nothing"
    )
    connection.execute("drop table incoming_quotes")
    return cursor.rowcount


def all_quotes(connection: Connection) -> list[Quote]:
    """Every quote of a match that was sealed."""
    rows = connection.execute(
        "select external_id, bookmaker, market, line, price_over, price_under, quoted_at from odds_quotes q "
        "where exists (select 1 from match_predictions p where p.external_id = q.external_id)"
    ).fetchall()
    return [Quote(*row) for row in rows]
