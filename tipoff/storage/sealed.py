"""Sealed forecasts as people look at them: filtered, a page at a time, newest first.

One a match and horizon: as in `ledger.record`, the newest that was not sealed late, or the newest where all were.
Queries are put together from constants; each walks an index down from the newest and looks at LOOKED rows at most.
A lateral `limit 1` is a look into an index: of a join the planner could read the whole table first.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tipoff.storage.pool import Connection

LOOKED = 5_000
"""forecasts that one page looks at; where few pass the filters it is short and says where to go on"""
NEWEST = 2**62
STATUS = "((content::jsonb) #>> '{body,status}')"
ALL = "select ledger_seq as seq from match_predictions where horizon = %(horizon)s and ledger_seq < %(before)s"
NOT_GRADED = (
    f"select distinct grades as seq from ledger where kind = 'grade' and {STATUS} = %(status)s "
    f"and {STATUS} <> 'graded' and grades < %(before)s"
)
OF_PLAYER = " union ".join(
    f"(select seq from ledger where kind = 'seal' and horizon = %(horizon)s and seq < %(before)s "
    f"and ((content::jsonb) #>> '{{body,player_{side}}}') = %(player)s order by seq desc limit %(looked)s)"
    for side in "ab"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """Which sealed forecasts: of this player, with this status ("open": no grade), of this hit (1 or 0)."""

    horizon: int
    player: str | None = None
    status: str | None = None
    hit: float | None = None


def page(
    connection: Connection, wanted: Filter, limit: int, before: int | None
) -> tuple[list[tuple[Any, ...]], int | None]:
    """Forecasts before row `before` of the ledger, newest first, and the row before which to go on (None: no more).

    Rows of (seq, hash, horizon, sealed_at, model, p_a, margin mean and sd, total mean and sd, content of the seal,
    content of its newest grade).
    """
    values = {
        **dataclasses.asdict(wanted), "limit": limit + 1, "looked": LOOKED,
        "before": NEWEST if before is None else before,
    }  # fmt: skip
    candidates = f"select seq from ({_source(wanted)}) s order by seq desc limit %(looked)s"
    found = connection.execute(
        f"""
        select c.seq, l.hash, p.horizon, p.sealed_at, p.model_sha256, p.p_a, p.margin_mean, p.margin_sd,
          p.total_mean, p.total_sd, l.content, g.content
        from ({candidates}) c
        join lateral (select * from match_predictions where ledger_seq = c.seq limit 1) p on true
        join lateral (select hash, content from ledger where seq = c.seq limit 1) l on true
        left join lateral ({_grade_of("c.seq")}) g on true
        where p.horizon = %(horizon)s
          and (%(status)s::text is null or coalesce(g.status, 'open') = %(status)s)
          and (%(hit)s::float8 is null or ((g.content::jsonb) #>> '{{body,scores,hit}}')::float8 = %(hit)s)
          and not exists (
            select 1 from match_predictions o left join lateral ({_grade_of("o.ledger_seq")}) og on true
            where o.external_id = p.external_id and o.horizon = p.horizon and o.ledger_seq <> p.ledger_seq
              and (og.status is distinct from 'late', o.ledger_seq) > (g.status is distinct from 'late', c.seq)
          )
        order by c.seq desc limit %(limit)s
        """.encode(),
        values,
    ).fetchall()
    if len(found) > limit:
        return found[:limit], int(found[limit - 1][0])
    [(looked, last)] = connection.execute(
        f"select count(*), min(seq) from ({candidates}) c".encode(), values
    ).fetchall()
    return found, int(last) if looked == LOOKED else None


def _source(wanted: Filter) -> str:
    """The query for rows of seals among which those that pass the filters are."""
    if wanted.player is not None:
        return OF_PLAYER
    return NOT_GRADED if wanted.status in ("void", "late") else ALL


def _grade_of(seal: str) -> str:
    """The query for the newest grade of the seal in that row."""
    return (
        f"select content, {STATUS} as status from ledger where kind = 'grade' and grades = {seal} "
        "order by seq desc limit 1"
    )
