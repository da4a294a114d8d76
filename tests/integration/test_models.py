"""Challengers in a real registry: stored, judged, activated in one transaction, rolled back, pruned."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from tests.integration.test_ingest import bring
from tests.integration.test_live import wire_row
from tests.simulated import simulate
from tests.wire import payload
from tipoff.domain.match import Match
from tipoff.errors import ArtifactError, InputError, ModelFileError, TransientArtifactError
from tipoff.forecast.model import Model, fingerprint
from tipoff.forecast.params import BUILT_IN, Params
from tipoff.forecast.state import state_after
from tipoff.forecast.table import build_table
from tipoff.health.checks.artifact_store import CANARY
from tipoff.pipeline.registry import prune, read_stored, submit, sweep
from tipoff.pipeline.state import bring_up_to_date
from tipoff.storage import models
from tipoff.storage.artifacts import DirectoryStore
from tipoff.storage.pool import Pool

REPOSITORY = Path(__file__).resolve().parents[2]
NOW = dt.datetime(2026, 3, 13, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def known() -> list[Match]:
    """Twelve days of a simulated league."""
    return simulate(12)[0]


def challenger(known: Sequence[Match], params: Params = BUILT_IN) -> Model:
    """A model fitted until the fifth day, with honest papers."""
    fitted = [m for m in known if m.start.date() <= dt.date(2026, 3, 5)]
    fit = {"fitted_from": "2026-02-28", "fitted_until": "2026-03-05"}
    return Model(params, NOW.isoformat(), fit, fingerprint(build_table(fitted)), {}, state_after(params, known))


def slower(q: float) -> Params:
    """Built-in values with another drift: about as good."""
    return dataclasses.replace(BUILT_IN, margin=dataclasses.replace(BUILT_IN.margin, q=q))


def broken() -> Params:
    """A margin that forgets everything within hours."""
    return slower(80.0)


def champion(pool: Pool) -> str | None:
    """sha256 of the model that forecasts."""
    with pool.connection() as connection:
        active = models.active(connection)
    return active[0] if active else None


def test_a_challengers_way(pool: Pool, tmp_path: Path, known: list[Match]) -> None:
    """A worse model activated, a refused one without its reason, a registry without what the model is."""
    store = DirectoryStore(tmp_path)
    first = submit(pool, store, challenger(known), known, NOW, "test")
    assert first.activated
    assert champion(pool) == first.sha256
    worse = submit(pool, store, challenger(known, broken()), known, NOW, "test")
    unusable = submit(pool, store, challenger(known, slower(float("nan"))), known, NOW, "test")
    assert not worse.activated
    assert not unusable.activated
    assert champion(pool) == first.sha256
    with pool.connection() as connection:
        listed = models.listed(connection)
        assert [m.version for m in listed] == sorted((m.version for m in listed), reverse=True)
        found = models.find(connection, str(worse.version))
        assert found.verdict == "refused"
        assert "not worse in log loss" in found.reason
        assert "hyper-parameter q is None" in models.find(connection, unusable.sha256[:10]).reason
        assert found.size_bytes > 1000
        assert found.document["data"]["matches"] > 900
        with pytest.raises(InputError, match="may not forecast: refused"):
            models.activate(connection, worse.sha256, NOW)
        with pytest.raises(InputError, match="no model"):
            models.find(connection, "999")
        assert len(models.importance_of(connection, first.sha256)) == 9
    assert read_stored(store, first.sha256).params == BUILT_IN


def test_the_database_itself_refuses_a_refused_champion(pool: Pool, tmp_path: Path, known: list[Match]) -> None:
    """A gate that lives only in code."""
    worse = submit(pool, DirectoryStore(tmp_path), challenger(known, broken()), known, NOW, "test")
    with pool.connection() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("update model_registry set active = true where sha256 = %s", (worse.sha256,))


def test_a_store_that_damages_is_found_before_activation(pool: Pool, tmp_path: Path, known: list[Match]) -> None:
    """A champion that cannot be read back."""

    class Damaging(DirectoryStore):
        def get(self, kind: str, sha256: str) -> bytes:
            path = next(tmp_path.rglob(f"{sha256}*"))
            path.write_bytes(path.read_bytes()[:-5])
            return super().get(kind, sha256)

    done = submit(pool, Damaging(tmp_path), challenger(known), known, NOW, "test")
    assert not done.activated
    assert "readable" in done.verdict.reason
    assert champion(pool) is None


def test_a_store_that_is_away_is_no_verdict(pool: Pool, tmp_path: Path, known: list[Match]) -> None:
    """A good model refused for ever, because the store was busy when it was read back."""

    class Busy(DirectoryStore):
        def get(self, kind: str, sha256: str) -> bytes:
            raise TransientArtifactError(f"{kind} {sha256}: 503 (5 attempts)")

    with pytest.raises(TransientArtifactError):
        submit(pool, Busy(tmp_path), challenger(known), known, NOW, "test")
    with pool.connection() as connection:
        assert models.listed(connection) == []
    assert submit(pool, DirectoryStore(tmp_path), challenger(known), known, NOW, "test").activated


def test_going_back_and_pruning(pool: Pool, tmp_path: Path, known: list[Match]) -> None:
    """A roll-back to files that are gone, or the champion's own files deleted."""
    store = DirectoryStore(tmp_path)
    made = [
        submit(pool, store, challenger(known, slower(q)), known, NOW, "test") for q in (0.027, 0.028, 0.029, 0.03)
    ]
    assert all(m.activated for m in made)
    with pool.connection() as connection, connection.transaction():
        models.activate(connection, made[0].sha256, NOW)
    assert champion(pool) == made[0].sha256
    assert bring_up_to_date(pool, NOW).model == made[0].sha256
    gone = prune(pool, store, 1, NOW)
    assert [m.version for m in gone] == [made[1].version, made[2].version]
    assert read_stored(store, made[0].sha256)
    assert read_stored(store, made[3].sha256)
    with pytest.raises(ArtifactError):
        read_stored(store, made[1].sha256)
    with pool.connection() as connection, pytest.raises(InputError, match="was pruned"):
        models.activate(connection, made[1].sha256, NOW)
    assert prune(pool, store, 1, NOW) == []
    with pytest.raises(InputError, match="at least 1"):
        prune(pool, store, 0, NOW)


def test_files_of_no_model_are_swept(pool: Pool, tmp_path: Path, known: list[Match]) -> None:
    """A store that fills with what cut trainings and prunings left; a file swept while its model is being judged."""
    store, now = DirectoryStore(tmp_path), dt.datetime.now(dt.UTC)
    made = [submit(pool, store, challenger(known, slower(q)), known, NOW, "test") for q in (0.027, 0.028)]
    kept = {kind: {sha256 for sha256, _ in store.listed(kind)} for kind in ("document", "state")}
    orphans = [store.put("document", b"cut"), store.put("state", b"short"), store.put("document", CANARY)]
    assert sweep(pool, store, now) == 0
    assert sweep(pool, store, now + dt.timedelta(days=2)) == 2
    kept["document"].add(orphans[2])
    assert {kind: {sha256 for sha256, _ in store.listed(kind)} for kind in kept} == kept
    with pool.connection() as connection, connection.transaction():
        models.mark_pruned(connection, made[0].sha256, NOW)
    assert sweep(pool, store, now + dt.timedelta(days=2)) >= 1
    assert read_stored(store, made[1].sha256)
    with pytest.raises(ArtifactError):
        read_stored(store, made[0].sha256)


def test_a_crash_in_the_middle_of_activation(
    pool: Pool, application_dsn: str, tmp_path: Path, known: list[Match]
) -> None:
    """No champion, or two, after a kill between the two updates."""
    store = DirectoryStore(tmp_path)
    one = submit(pool, store, challenger(known), known, NOW, "test")
    two = submit(pool, store, challenger(known, slower(0.03)), known, NOW, "test")
    code = (
        "import sys, psycopg, datetime\n"
        "from tipoff.storage import models\n"
        f"c = psycopg.connect({application_dsn!r})\n"
        f"models.activate(c, {one.sha256!r}, datetime.datetime.now(datetime.UTC))\n"
        "print(c.execute('select sha256 from model_registry where active').fetchone()[0], flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == one.sha256
    assert champion(pool) == two.sha256
    process.kill()
    process.communicate()
    assert champion(pool) == two.sha256
    with pool.connection() as connection, connection.transaction():
        models.activate(connection, one.sha256, NOW)
    assert champion(pool) == one.sha256


def test_two_challengers_at_once(pool: Pool, tmp_path: Path, known: list[Match]) -> None:
    """Each judged against the old champion, so that the second replaces a better first unseen."""
    store = DirectoryStore(tmp_path)
    submit(pool, store, challenger(known), known, NOW, "test")
    done = []

    def try_it(q: float) -> None:
        done.append(submit(pool, store, challenger(known, slower(q)), known, NOW, "test"))

    threads = [threading.Thread(target=try_it, args=(q,)) for q in (0.028, 0.029)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    with pool.connection() as connection:
        actives = connection.execute("select count(*) from model_registry where active").fetchall()
    assert actives == [(1,)]


def test_the_live_filter_follows_the_champion(pool: Pool, tmp_path: Path, known: list[Match]) -> None:
    """Forecasts by a model that was replaced."""
    part = known[:400]
    bring(pool, payload([wire_row(m) for m in part], part[-1].start + dt.timedelta(hours=2), part[-1].start.date()))
    store = DirectoryStore(tmp_path)
    one = submit(pool, store, challenger(known), known, NOW, "test")
    first = bring_up_to_date(pool, NOW)
    two = submit(pool, store, challenger(known, slower(0.03)), known, NOW + dt.timedelta(hours=1), "test")
    assert shown(pool) == one.sha256, "nothing is forecast until the new one has learned"
    second = bring_up_to_date(pool, NOW)
    assert shown(pool) == two.sha256
    assert (first.model, second.model) == (one.sha256, two.sha256)
    assert second.data_sha256 == first.data_sha256
    assert second.state.params == slower(0.03)
    with pytest.raises(ModelFileError):
        read_stored(_Foreign(tmp_path), one.sha256)


def shown(pool: Pool) -> str | None:
    """sha256 of the model whose state the API reads."""
    with pool.connection() as connection:
        newest = models.newest_state(connection)
    return newest[0] if newest else None


class _Foreign(DirectoryStore):
    """A store that returns something else with the right hash."""

    def get(self, kind: str, sha256: str) -> bytes:
        """Not a model."""
        return json.dumps([kind, sha256]).encode()
