"""Posted prices into the database: matched with what is known, kept once, and waiting where no match is known yet."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from tipoff.domain.match import Fixture
from tipoff.domain.quote import Posted, Unmatched
from tipoff.ingest.matching import NEAR, match_quotes
from tipoff.storage import quotes
from tipoff.storage.pool import Connection, Pool


@dataclasses.dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file's quotes and of those that waited."""

    read: int
    new: int
    known: int
    """of all that have a match, how many were stored already"""
    came: int
    """quotes that had waited and have their match now"""
    swapped: int
    respelled: int
    waiting: int
    """quotes that wait now, all in all"""
    reasons: dict[str, int]
    """of the file's quotes, how many wait for what reason"""
    examples: dict[str, str]
    """a sentence for each reason"""


def import_prices(pool: Pool, posted: Sequence[Posted]) -> Imported:
    """Match and keep quotes in one transaction, those that wait too; the same file twice changes nothing."""
    with pool.connection() as connection, connection.transaction():
        before = quotes.take_waiting(connection)
        there = dict.fromkeys([*before, *posted])
        found = match_quotes(there, _candidates(connection, list(there)))
        new, differing = quotes.keep(connection, found.quotes)
        said = [
            Unmatched(
                Posted(q.external_id, None, None, None, q.bookmaker, q.market, q.line, q.over, q.under, q.quoted_at),
                "contradicts", f"another price of {q.bookmaker} for {q.external_id} at that second is known",
            )
            for q in differing
        ]  # fmt: skip
        quotes.wait(connection, [*found.unmatched, *said])
        waiting = quotes.waiting(connection)
    lost = {u.posted for u in found.unmatched}
    mine = [u for u in found.unmatched if u.posted in set(posted)] + said
    return Imported(
        read=len(posted), new=new, known=len(found.quotes) - new - len(differing),
        came=sum(one not in lost for one in before), swapped=found.swapped, respelled=found.respelled,
        waiting=len(waiting), reasons=dict(Counter(u.reason for u in mine)),
        examples={u.reason: u.detail for u in reversed(mine)},
    )  # fmt: skip


def _candidates(connection: Connection, posted: Sequence[Posted]) -> list[Fixture]:
    """Every match that one of these quotes may be of."""
    starts = [p.start for p in posted if p.start is not None]
    ids = sorted({p.external_id for p in posted if p.external_id is not None})
    since, until = (min(starts) - NEAR, max(starts) + NEAR) if starts else (None, None)
    return quotes.matches_near(connection, ids, since, until)
