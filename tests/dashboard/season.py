"""What happens after the league of `tests.api.test_data`: matches called right and wrong, unsealed, in play."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from tests.integration.test_live import bring
from tests.jobs import eventually
from tests.wire import fixture, payload, row
from tipoff.pipeline.seal import grade_known, seal_due
from tipoff.pipeline.state import Live
from tipoff.pipeline.watch import refresh_record
from tipoff.storage.pool import Pool

SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)
HORIZONS = [30, 2]


@dataclasses.dataclass
class Season:
    """Who plays, and a moment of which the database's clock is near."""

    pool: Pool
    players: tuple[str, str]

    def now(self) -> dt.datetime:
        """The database's clock."""
        with self.pool.connection() as connection:
            [(now,)] = connection.execute("select clock_timestamp()").fetchall()
        assert isinstance(now, dt.datetime)
        return now

    def hear(self, *rows: dict[str, Any]) -> None:
        """The league says that, in a schedule of another day: what it does not name has not vanished."""
        bring(self.pool, payload(list(rows), self.now()))

    def match(self, name: str, start: dt.datetime, score: tuple[int, int] | None = None) -> dict[str, Any]:
        """A match of both, to come or with its score."""
        a, b = self.players
        told = {"participantAName": a, "participantBName": b, "externalId": name}
        if score is None:
            return fixture(910, start, **told)
        return row(910, start=start, **told, teamAScore=score[0], teamBScore=score[1])


def go_on(pool: Pool, live: Live, players: tuple[str, str]) -> Season:
    """Play RIGHT, WRONG (whose score is corrected) and UNSEALED; PLAYING has begun."""
    season = Season(pool, players)
    with pool.connection() as connection:
        [(opened,)] = connection.execute("select min(sealed_at) from match_predictions").fetchall()
    eventually(lambda: season.now() - opened > 3 * SECOND, "matches that count as played since the ledger was opened")
    now = season.now()
    soon = now + 2 * MINUTE - SECOND
    season.hear(
        *(season.match(name, soon) for name in ("RIGHT", "WRONG")), season.match("PLAYING", now + 20 * MINUTE)
    )
    assert seal_due(pool, live, HORIZONS, "test").sealed == 3
    with pool.connection() as connection:
        [(p_a,)] = connection.execute("select p_a from match_predictions where external_id = 'RIGHT'").fetchall()
    likely, other = ((61, 48), (48, 61)) if p_a > 0.5 else ((48, 61), (61, 48))
    season.hear(season.match("RIGHT", soon, likely), season.match("WRONG", soon, (other[0] + 1, other[1])),
                season.match("UNSEALED", soon + MINUTE, (50, 52)))  # fmt: skip
    season.hear(season.match("WRONG", soon, other))
    assert grade_known(pool) == 2
    with pool.connection() as connection:
        connection.execute(
            "update upcoming_matches set start_at = start_at - interval '35 min' where external_id = 'PLAYING'"
        )
    assert refresh_record(pool, HORIZONS, now + 60 * MINUTE) is not None
    return season
