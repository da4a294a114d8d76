"""`python -m tipoff.forecast.warm` compiles every kernel into NUMBA_CACHE_DIR, so that no first training has to.

Images do this when they are built, workers when they start on a new disk.
"""

from __future__ import annotations

import datetime as dt

from tipoff.forecast.compiled import alone, is_compiled, note_compiled

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MATCHES = 200


def warm() -> None:
    """Walk and learn a few made-up matches: what a training and the live filter compile.

    Without the search for hyper-parameters, which compiles nothing and needs much more.
    """
    from tipoff.domain.match import Match, MatchStatus
    from tipoff.forecast.params import BUILT_IN
    from tipoff.forecast.state import empty_arrays, state_after
    from tipoff.forecast.table import build_table
    from tipoff.forecast.walking import walk_table

    matches = [
        Match(
            str(n), BEGIN + n * dt.timedelta(hours=1), "A", "B", "C", "D", "1", MatchStatus.FINAL, 50 + n % 9, 60,
        )
        for n in range(MATCHES)
    ]  # fmt: skip
    table = build_table(matches)
    walk_table(empty_arrays(table, BUILT_IN), BUILT_IN.as_array(), table, BUILT_IN.session_gap, 32)
    state_after(BUILT_IN, matches)


if __name__ == "__main__" and not is_compiled():
    with alone():
        if not is_compiled():
            warm()
            note_compiled()
