"""A process of its own that seals: python -m tests.integration.sealer DSN IDS HORIZON [CLOCK-ERROR-MINUTES]."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys

from tests.sealing import body
from tipoff.domain.match import Fixture
from tipoff.storage import ledger
from tipoff.storage.pool import open_pool


def main(dsn: str, prefix: str, horizon: str) -> None:
    """Seal the fixtures whose ids begin with `prefix` one after the other and say what became of each."""
    with contextlib.closing(open_pool(dsn)) as pool:
        with pool.connection() as connection:
            found = connection.execute(
                "select external_id, start_at, player_a, player_b, team_a, team_b, stream from upcoming_matches "
                "where external_id like %s order by start_at, external_id",
                (f"{prefix}%",),
            ).fetchall()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        for values in found:
            with pool.connection() as connection:
                [outcome] = ledger.seal(connection, [body(Fixture(*values), int(horizon))])
            sys.stdout.write(json.dumps([values[0], outcome, dt.datetime.now(dt.UTC).isoformat()]) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
