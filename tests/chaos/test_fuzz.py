"""Every operation of the API, asked what its own document allows and what it does not."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.api.conftest import kept_pool, shared_dsn, web
from tests.api.test_data import HOSTILE, league
from tests.chaos.evidence import keep, size
from tests.chaos.fuzzing import Keeper, Known, Sender, covering, operations, requested
from tests.streams import events
from tests.web import MASTER, WebProcess, make_key, rows
from tipoff.api.access import Scope
from tipoff.api.cursors import written
from tipoff.pipeline.watch import refresh_record
from tipoff.storage.pool import Pool

__all__ = ["kept_pool", "league", "shared_dsn", "web"]
LISTS = ("matches", "players", "teams", "player-stats", "jobs", "keys", "ledger", "ml/models", "ml/predictions",
         "upcoming-matches", "webhooks/deliveries", "alerts")  # fmt: skip


@pytest.fixture
def keeper(shared_dsn: str) -> Iterator[Keeper]:
    """What keeps the database so that operations can succeed."""
    one = Keeper(shared_dsn)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def sender(web: WebProcess) -> Iterator[Sender]:
    """What sends and checks."""
    one = Sender(web.url)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def known(league: tuple[object, dict[str, Any]], web: WebProcess, kept_pool: Pool, keeper: Keeper) -> Known:
    """What exists, by the name of the parameter that asks for it."""
    refresh_record(kept_pool, [30, 2], league[1]["now"])

    def column(query: str) -> list[Any]:
        return [row[0] for row in rows(kept_pool, query)]

    players = [*column("select name from players limit 60"), *HOSTILE]
    results = column("select external_id from matches limit 60")
    versions, jobs = column("select version from model_registry"), keeper.jobs
    times = [at.isoformat() for at in column("select start_at from matches limit 20")]
    found: dict[str, list[Any]] = {
        "player": players, "handle": players, "a": players, "b": players,
        "team": column("select distinct team_a from matches"), "external_id": [*results, "LATER/1", "MUCH LATER"],
        "external_id of /api/matches/{external_id}/raw": results, "from": times, "to": times,
        "version": versions, "v1": versions, "v2": versions, "search": [name[1:3] for name in players],
        "job_type": ["outbox_delivery", "model_training"], "job_id": [one for ids in jobs.values() for one in ids],
        "job_id of /api/jobs/{job_id}/cancel": [*jobs["pending"], *jobs["running"], *jobs["failed"][:2]],
        "job_id of /api/jobs/{job_id}/retry": [*jobs["failed"], *jobs["cancelled"], *jobs["pending"][:2]],
        "horizon": [2, 30], "stream": column("select stream from upcoming_matches where stream is not null"),
        "cursor of /api/record/forecasts": [written(10**6)],
        "cursor of /api/jobs/{job_id}/log": [written(1, 0)],
        "webhook_id": keeper.hooks, "alert_id": keeper.alerts,
        "key_id": [make_key(kept_pool, Scope.READ)[1] for _ in range(5)],
    }  # fmt: skip
    for path in LISTS:
        cursor = web.get(f"/api/{path}?limit=1", MASTER).json()["next_cursor"]
        assert cursor, path
        found[f"cursor of /api/{path}"] = [cursor]
    return found


def test_no_request_finds_a_fault(
    sender: Sender, web: WebProcess, kept_pool: Pool, keeper: Keeper, known: Known
) -> None:
    """An answer that the document does not have: a 500, a status, a type, a header or a value that no client expects;
    a wrong request that is accepted, a right one that is refused, a key that is not asked for."""
    begun, asked = time.monotonic(), operations(web.url)
    keys = [MASTER] * 6 + [None, None, make_key(kept_pool, Scope.READ)[0], "tipoff_unknown"]
    for operation in asked:
        chance = random.Random(operation.label)
        for case in covering(operation):
            keeper.before(case, chance)
            sender.send(case, chance.choice(keys), chance)

        @settings(max_examples=size(30, 560), derandomize=True, database=None, deadline=None,
                  phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(requested(operation, known))
        def fuzz(one: tuple[Any, random.Random]) -> None:
            case, chance = one
            keeper.before(case, chance)
            sender.send(case, chance.choice(keys), chance)

        fuzz()
    tally = sender.tally
    if tally.faults:
        pytest.fail(tally.report())
    assert 429 not in tally.statuses
    total, (fewest, name) = tally.sent.total(), min((tally.succeeded[one.label], one.label) for one in asked)
    print(f"{total} requests to {len(asked)} operations, at least {fewest} successes ({name}): {tally.statuses}")
    assert total >= size(1_000, 20_000)
    assert fewest >= size(5, 100), name
    keep("fuzz", {
        "requests": total, "operations": len(asked), "fewest_successes": fewest, "fewest_successes_of": name,
        "statuses": {str(status): n for status, n in sorted(tally.statuses.items())},
        "seconds": round(time.monotonic() - begun),
    })  # fmt: skip


def test_streams_that_the_fuzz_leaves_out(web: WebProcess, known: Known) -> None:
    """A stream that fails now and then, or answers what the document does not have."""
    for number in range(size(10, 100)):
        topics = ["jobs", "matches", "predictions", f"jobs/{known['job_id'][number % 25]}"][: 1 + number % 4]
        with events(web, ",".join(topics)) as stream:
            assert {stream.next()["topic"] for _ in topics} == set(topics)
        assert web.get("/api/events", params={"topics": f"strange{number}"}).status_code == 422
