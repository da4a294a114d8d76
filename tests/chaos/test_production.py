"""The whole deployment as on Render: started by render.yaml's commands, killed at random, restarted in turn."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.chaos.evidence import WHOLE, keep, quantile, size
from tests.dense import DenseBook
from tests.deployment import Deployment, Traffic, Watch
from tests.jobs import ROOT, eventually
from tests.pooler import pooled
from tests.production import Balancer, Checkout, Instance, blueprint, helper
from tests.supabase_storage import PUBLIC, SECRET
from tests.web import free_port
from tipoff.storage.embedded import PrivatePostgres

LEAGUES = 20
LATE = 10.0
MINUTE = dt.timedelta(minutes=1)
LAST = 2
"""minutes before the start at which a forecast is sealed at the latest"""
POOL = 39
"""connections of the pooler: five for each web, seven for each worker, as many for one that is new, one for health"""
RUN = {"history_days": 30, "train_model": True, "return_predictions": True, "refresh_token": False}


@contextlib.contextmanager
def deployed(own: PrivatePostgres, folder: Path) -> Iterator[Deployment]:
    """Build, migrate, start: two webs behind the proxy, three workers."""
    services = blueprint(ROOT / "render.yaml")
    checkout = Checkout.fresh(ROOT, folder)
    with psycopg.connect(own.dsn, autocommit=True) as connection:
        connection.execute("create role deployer login")
        connection.execute("create database production owner deployer")
    database = own.dsn.replace("dbname=postgres", "dbname=production")
    since = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
    league = ("-m", "tests.dense", "--since", since.isoformat(), "--leagues", str(LEAGUES))
    with contextlib.ExitStack() as open_ones:
        enter = open_ones.enter_context
        address = enter(
            pooled(
                database.replace("user=postgres", "user=deployer"), free_port(), "session", size=POOL, loopback=True
            )
        )
        settings = {
            "SUPABASE_URL": enter(helper(folder, "store", "-m", "tests.supabase_storage")),
            "SUPABASE_ANON_KEY": PUBLIC,
            "SUPABASE_SERVICE_ROLE_KEY": SECRET, "DATABASE_URL": address, "API_PORT": "$PORT",
            "TIPOFF_LEAGUE_URL": enter(helper(folder, "league", *league)), "TIPOFF_SPACING": "0",
        }  # fmt: skip
        if not WHOLE:  # each new disk compiles for itself where all is measured: six times 20 s of both cores
            settings["NUMBA_CACHE_DIR"] = str(folder / "kernels")
        web = services["web"]
        once = {**web.environment, **settings, "RENDER": "true"}
        for command in (web.build, web.before):
            assert command is not None
            log = folder / "build.log"
            assert checkout.run(command, once, folder / "build", output=log) == 0, log.read_text()[-3000:]
        balancer = Balancer(folder, web.health or "", places=2)
        open_ones.callback(balancer.stop)
        made = Deployment(checkout, services, settings, database, folder, balancer, since)
        open_ones.callback(lambda: [one.kill(whole=True) for one in made.webs + made.workers])
        made.webs = [made.new("web") for _ in range(2)]
        made.workers = [made.new("worker") for _ in range(3)]
        for place, one in enumerate(made.webs):
            one.ready()
            balancer.put(place, one)
        for one in made.workers:
            one.ready()
        yield made


@pytest.mark.timeout(1200)
def test_killed_and_restarted(own: PrivatePostgres, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Jobs or seals lost, doubled or late when machines die; requests that fail while each is replaced in turn."""
    folder = tmp_path_factory.mktemp("production")
    folder.chmod(0o755)
    with deployed(own, folder) as site:
        pipeline = _pipeline(site)
        measured = {"pipeline": pipeline, "connections": _connections(site), "killed": _killed(site)}
        measured["rolling"] = _rolling(site)
        measured["ledger"] = _truth(site)
    print(json.dumps(measured, indent=1))
    keep("production", measured)


def _pipeline(site: Deployment) -> dict[str, Any]:
    """The specification's first request, to its end; a second one meanwhile is told where that is."""
    client = httpx.Client(base_url=site.balancer.url, headers=site.key, timeout=20.0, trust_env=False)
    with client:
        begun = time.monotonic()
        made = client.post("/api/run-pipeline", json=RUN)
        accepted = time.monotonic() - begun
        assert made.status_code == 202, made.text
        again = client.post("/api/run-pipeline", json=RUN)
        assert (again.status_code, again.headers["location"]) == (409, made.headers["location"])
        where = made.headers["location"]
        eventually(lambda: client.get(where).json()["status"] in ("completed", "failed"), "the pipeline to end", 240)
        job = client.get(where).json()
        assert job["status"] == "completed", job
        assert client.get("/api/upcoming-matches").json()["items"]
        assert client.get("/api/system/status").json()["champion"]
    return {"seconds": round(time.monotonic() - begun, 1), "accepted_seconds": round(accepted, 3)}


def _connections(site: Deployment) -> dict[str, int]:
    return dict(
        site.query(
            "select application_name, count(*)::int from pg_stat_activity where datname = 'production' "
            "and application_name <> '' group by 1 order by 1"
        )
    )


def _killed(site: Deployment) -> dict[str, Any]:
    seconds, rng = size(20, 180), random.Random(20261126)
    victims = {"web": [site.webs[1]], "worker": site.workers[1:]}
    watch, kills = Watch(site), collections.Counter[str]()
    web_kills = list[float]()
    with Traffic(site) as traffic:
        end, following = time.monotonic() + seconds, time.monotonic() + 2.0
        down: list[tuple[float, Instance]] = []
        while time.monotonic() < end or watch.waiting() or down:
            watch.look()
            for at, one in [pair for pair in down if pair[0] <= time.monotonic()]:
                down.remove((at, one))
                one.again()
            if following <= time.monotonic() < end:
                kind = rng.choice(["web", "worker", "worker"])
                busy = watch.busy(victims["worker"])
                if kind == "worker" and not busy and rng.random() < 0.8:
                    time.sleep(0.02)
                    continue
                one = rng.choice(busy or victims[kind] if kind == "worker" else victims[kind])
                if all(one is not other for _, other in down) and one.process.poll() is None:
                    watch.killed[one.process.pid] = dt.datetime.now(dt.UTC)
                    web_kills += [time.monotonic()] if kind == "web" else []
                    one.kill(whole=rng.random() < 0.5)
                    kills[kind] += 1
                    down.append((time.monotonic() + rng.uniform(0.5, 2.0), one))
                following = time.monotonic() + rng.uniform(2.0, 6.0)
            time.sleep(0.1)
            assert time.monotonic() < end + 60, "jobs are left over"
        for one in [site.webs[1], *site.workers[1:]]:
            one.ready()
    watch.look()
    for moment, what, how in traffic.failed:
        assert any(0 <= moment - kill < 3.0 for kill in web_kills), (what, how)
    answered = len(traffic.failed)
    with httpx.Client(base_url=site.balancer.url, headers=site.key, timeout=20.0, trust_env=False) as client:
        for key in [key for key, job in traffic.jobs.items() if job is None]:
            traffic.post(client, key)
            assert traffic.jobs[key] is not None
    eventually(lambda: not watch.waiting(), "the last jobs to end")
    states = dict(
        site.query("select status, count(*)::int from job_queue where created_at >= %s group by 1", watch.begun)
    )
    asked = {job for job in traffic.jobs.values() if job}
    [(made,)] = site.query(
        "select count(*)::int from job_queue where created_at >= %s and requested_by like 'api:%%'", watch.begun
    )
    figures = {
        "seconds": seconds, "kills": dict(kills), "jobs": states, "attempts": len(watch.late),
        "acknowledged": len(asked), "made": made, "requests": traffic.asked, "failed_requests": answered,
        "latest_start": round(max(watch.late.values()), 2), "recovered": len(watch.recovered),
        "recovery_p50": round(quantile(watch.recovered, 0.5), 2) if watch.recovered else None,
        "recovery_max": round(max(watch.recovered, default=0.0), 2),
    }  # fmt: skip
    print(json.dumps(figures, indent=1))
    assert set(states) == {"completed"}
    assert made == len(asked)
    assert figures["latest_start"] <= LATE
    return figures


def _rolling(site: Deployment) -> dict[str, Any]:
    """Replaced as the platform does it: the new one healthy, traffic moved, the old one told to stop."""
    begun = time.monotonic()
    with Traffic(site) as traffic:
        for place, old in enumerate(list(site.webs)):
            new = site.new("web")
            site.webs.append(new)
            new.ready()
            site.balancer.take(place)
            site.balancer.put(place, new)
            assert old.stop(30) == 0, old.log.read_text()[-2000:]
            site.webs.remove(old)
        for old in list(site.workers):
            new = site.new("worker")
            site.workers.append(new)
            new.ready()
            assert old.stop(60) == 0, old.log.read_text()[-2000:]
            site.workers.remove(old)
    assert traffic.failed == []
    return {
        "seconds": round(time.monotonic() - begun, 1), "requests": traffic.asked,
        "failed_requests": len(traffic.failed), "jobs": len(traffic.jobs),
    }  # fmt: skip


def _truth(site: Deployment) -> dict[str, Any]:
    """The record against the league's own book: results, seals, grades, and the chain."""
    [(until,)] = site.query(
        "select max(created_at) from job_queue where status = 'completed' "
        "and type in ('quick_data_refresh', 'data_pipeline')"
    )
    book = DenseBook(site.since, LEAGUES)
    truth = {m.external_id: m for m in book.matches(site.since, until)}
    ended = {k for k, m in truth.items() if m.withdrawn_at is None and m.ended_at < until}
    found = {
        external_id: (a, b)
        for external_id, a, b in site.query(
            "select external_id, score_a, score_b from matches where start_at >= %s and status = 'final'", site.since
        )
    }
    final = {k for k in ended if truth[k].status == "MATCH_ENDED" and truth[k].score_a != truth[k].score_b}
    assert final - set(found) == set()
    assert {k: (truth[k].score_a, truth[k].score_b) for k in final} == {k: found[k] for k in final}
    [(begin,)] = site.query("select min(sealed_at) from match_predictions")
    due = {
        m.external_id: _tick(m.start - LAST * MINUTE)
        for m in book.matches(begin + LAST * MINUTE, begin + 60 * MINUTE)
        if m.withdrawn_at is None and m.published_at < m.start - 10 * MINUTE
    }
    due = {k: tick for k, tick in due.items() if tick > begin}
    judged = min(due.values()) + dt.timedelta(seconds=LATE + 1)
    time.sleep(max(0.0, (judged - dt.datetime.now(dt.UTC)).total_seconds()))  # one seal at least is looked at
    seals = site.query(
        "select external_id, horizon, start_at, sealed_at, count(*)::int from match_predictions group by 1, 2, 3, 4"
    )
    keys = [seal[:3] for seal in seals]
    assert len(keys) == len(set(keys))
    sealed = {(external_id, horizon): at for external_id, horizon, _, at, _ in seals}
    now = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=LATE)
    waited = [(sealed[k, LAST] - tick).total_seconds() for k, tick in due.items() if tick < now]
    assert len(waited) >= size(0, 5)
    latest = round(max(waited), 2)
    [(attempts,)] = site.query("select max(attempt)::int from job_queue where type = 'prediction_generation'")
    assert latest <= LATE * max(1, attempts - 1)  # each kill of the job that seals costs one recovery
    verified = json.loads(
        subprocess.run(
            [site.checkout.programs / "python", "-m", "tipoff", "ledger", "verify", "--json"], check=True,
            capture_output=True, cwd=site.checkout.tree,
            env={**site.settings, "RENDER": "true", "HOME": str(site.folder / "build")},
        ).stdout
    )  # fmt: skip
    assert verified["broken"] is None, verified
    return {
        "results": len(final), "seals": len(seals), "latest_seal": latest, "most_attempts": attempts,
        "verified": verified["rows"],
    }  # fmt: skip


def _tick(moment: dt.datetime) -> dt.datetime:
    """The full minute from then on: forecasts are made each minute."""
    return moment + (dt.datetime.min.replace(tzinfo=dt.UTC) - moment) % MINUTE
