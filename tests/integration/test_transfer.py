"""A whole instance as a file and back: exact, of one moment, refused whole where it is not whole."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import os
import random
import resource
import signal
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.instance import HORIZONS, content, fill
from tests.jobs import ROOT, ended, enqueue, eventually, workers
from tests.supabase_storage import SECRET, Bucket
from tests.web import WebProcess
from tipoff.backtest.report import as_json
from tipoff.errors import ArtifactError, InputError
from tipoff.league.runner import served
from tipoff.pipeline.transfer.export import export
from tipoff.pipeline.transfer.manifest import Manifest
from tipoff.pipeline.transfer.restore import restore
from tipoff.pipeline.watch import record, verify_database
from tipoff.storage import transfer
from tipoff.storage.artifacts import DirectoryStore, SupabaseStore
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import open_pool

NOW = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
NAMES = transfer.EXPORTED
_numbers = itertools.count()


class Instance:
    """A database of its own with the schema, and a store of models."""

    def __init__(self, server: PrivatePostgres, template: str, home: Path) -> None:
        name = f"instance_{next(_numbers)}"
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}".encode())
        self.dsn = server.dsn.replace("dbname=postgres", f"dbname={name}")
        self.application_dsn = self.dsn.replace("user=postgres", "user=tipoff_app")
        self.home, self.store = home, DirectoryStore(home)
        self.pool = open_pool(self.dsn, statement_timeout="0")
        self.application = open_pool(self.application_dsn)

    def export(self, target: Path, **more: Any) -> Manifest:
        """All of it."""
        return export(self.pool, self.store, target, NOW, **more)

    def content(self) -> dict[str, list[str]]:
        """What is exported of it, as Postgres writes it."""
        with self.pool.connection() as connection:
            return content(connection, NAMES)

    def empty(self) -> bool:
        """Whether no row came in, and no model's file."""
        with self.pool.connection() as connection:
            return not transfer.filled(connection) and not list(self.home.rglob("*.npz"))

    def close(self) -> None:
        """Give connections back."""
        self.pool.close()
        self.application.close()


Make = Callable[[], Instance]


@pytest.fixture(scope="module")
def make(server: PrivatePostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Makes empty instances."""
    with contextlib.ExitStack() as made:

        def one() -> Instance:
            instance = Instance(server, template, tmp_path_factory.mktemp("instance"))
            made.callback(instance.close)
            return instance

        yield one


@pytest.fixture(scope="module")
def spare(make: Make) -> Instance:
    """An empty instance, for exports that are refused."""
    return make()


@pytest.fixture(scope="module")
def old(make: Make) -> Instance:
    """An instance with something in every table."""
    instance = make()
    with psycopg.connect(instance.dsn, autocommit=True) as owner:
        fill(instance.application, owner, instance.store)
    return instance


@pytest.fixture(scope="module")
def whole(old: Instance, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export."""
    path = tmp_path_factory.mktemp("whole") / "tipoff.tar"
    old.export(path)
    return path


def test_every_table_is_exported_or_not_for_a_reason(old: Instance) -> None:
    """A new table that nobody thought of when the backup was made."""
    with old.pool.connection() as connection:
        found = connection.execute(
            "select relname from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"
        ).fetchall()
    assert {row[0] for row in found} == {*NAMES, *transfer.NOT_EXPORTED}
    assert not set(NAMES) & set(transfer.NOT_EXPORTED)
    assert all(len(reason) > 20 for reason in transfer.NOT_EXPORTED.values())
    assert [name for name, rows in old.content().items() if not rows] == []


@pytest.mark.parametrize("name", ["there.tar", "folder"])
def test_there_and_back_it_is_the_same(old: Instance, make: Make, tmp_path: Path, name: str) -> None:
    """A number rounded, a JSON null that became no value, a time without its microseconds, a model left behind."""
    path, new = tmp_path / name, make()
    manifest = old.export(path)
    assert manifest.ledger is not None
    assert path.stat().st_mode & 0o077 == 0
    done = restore(new.pool, new.store, path)
    assert (done.verified.broken, done.verified.head, done.mismatched) == (None, manifest.ledger, [])
    assert new.content() == old.content()
    with new.pool.connection() as connection:
        for name_of in transfer.NOT_EXPORTED.keys() - {"forecast_revision"}:
            assert connection.execute(f"select from {name_of}".encode()).fetchall() == [], name_of
    models = [part for part in manifest.parts if part.startswith("models/")]
    assert [(old.home / part).read_bytes() for part in models] == [(new.home / part).read_bytes() for part in models]
    assert len(models) == 4
    again = new.export(tmp_path / f"again-{name}")
    assert again.parts == manifest.parts


def test_secrets_of_others_stay(whole: Path) -> None:
    """A backup that gives away what webhooks are signed with."""
    text = whole.read_bytes()
    assert b"webhooks" not in text
    assert b"api_keys.jsonl.gz" in text


def test_it_goes_on_where_the_old_one_stopped(old: Instance, whole: Path, make: Make, tmp_path: Path) -> None:
    """Other forecasts, another record, a number given twice, a ledger that cannot grow, a worker that cannot work."""
    new = make()
    done = restore(new.pool, new.store, whole)
    at = dt.datetime.now(dt.UTC)
    records = [as_json(record(one.application, HORIZONS, at)) for one in (old, new)]
    assert records[0] == records[1]
    said = [_answers(one) for one in (old, new)]
    assert said[0] == said[1]
    assert "p_a" in str(said[0])
    with workers(
        new.application_dsn, tmp_path, 1, "--no-schedules", TIPOFF_SOURCE="league", TIPOFF_HOME=str(new.home)
    ):
        refreshed = ended(new.application, enqueue(new.application, "quick_data_refresh"), 60)
        assert refreshed.status == "completed", refreshed.error
        lost = enqueue(new.application, "track_record")
        assert ended(new.application, lost, 60).status == "completed", "the job of the lost worker was not taken over"
    found, mismatched, _ = verify_database(new.pool, [done.verified.head] if done.verified.head else [])
    assert (found.broken, mismatched) == (None, [])
    assert found.rows > done.verified.rows


def _answers(one: Instance) -> list[Any]:
    """What the API says of fixtures, matches and the record."""
    web = WebProcess(one.application_dsn, one.home, TIPOFF_HEALTH_EVERY="3600")
    try:
        said = [
            web.get(path).json()
            for path in (
                "/api/upcoming-matches", "/api/matches/SOON0", "/api/matches/SOON1", "/api/ml/predictions/SOON2",
                "/api/record/forecasts", "/api/ml/models", "/api/players",
            )
        ]  # fmt: skip
    finally:
        web.stop()
    return [_plain(answer) for answer in said]


def _plain(value: Any) -> Any:
    """Without the moment of the answer."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in ("as_of", "made_at")}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def test_one_byte_more_less_or_other_is_refused_whole(whole: Path, spare: Instance, tmp_path: Path) -> None:
    """Half an instance that looks like one; a change that no checksum covers."""
    good, new, chosen = whole.read_bytes(), spare, random.Random(7)
    path = tmp_path / "bad.tar"
    headers = [i for i in range(0, len(good), 512) if good[i + 257 : i + 262] == b"ustar"]
    assert len(headers) == len(NAMES) + 5
    begins = [i + offset for i in headers for offset in (0, 100, 130, 148, 154, 155, 156, 263, 500, 512)]
    positions = sorted({*begins, *range(len(good) - 1100, len(good), 7), *chosen.sample(range(len(good)), 60)})
    for position in positions:
        changed = bytearray(good)
        changed[position] ^= chosen.choice((1, 32, 255))
        for text in (bytes(changed), good[:position]):
            path.write_bytes(text)
            with pytest.raises(InputError, match="is refused"):
                restore(new.pool, new.store, path)
    for text in (good + b"\0", good + bytes(512), good[:-1024], good[:-512], b"", good[512:], good + good):
        path.write_bytes(text)
        with pytest.raises(InputError, match="is refused"):
            restore(new.pool, new.store, path)
    assert new.empty()


def test_a_part_missing_added_or_of_another_export_is_refused(old: Instance, spare: Instance, tmp_path: Path) -> None:
    """A folder in which somebody tidied up."""
    folder, new = tmp_path / "folder", spare
    old.export(folder)
    parts = [path for path in folder.rglob("*") if path.is_file()]
    for path in parts:
        content = path.read_bytes()
        for changed in (None, content[:-1], content + b"\0", content[: len(content) // 2]):
            path.unlink()
            if changed is not None:
                path.write_bytes(changed)
            with pytest.raises(InputError, match="is refused"):
                restore(new.pool, new.store, folder)
            path.write_bytes(content)
    (folder / "tables" / "more.jsonl.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"tables/more\.jsonl\.gz does not belong to it"):
        restore(new.pool, new.store, folder)
    assert new.empty()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 2}, "its format is 2, this Tipoff reads 1"),
        ({"schema_version": "20991231000000"}, "its schema is 20991231000000"),
        ({"schema_version": "20261124080000"}, "its schema is 20261124080000"),
        ({"rows": 1}, "the manifest says 1"),
        ({"sha256": "0" * 64}, "its SHA-256 is not"),
        ({"sequences": None}, "manifest.json was changed"),
    ],
)
def test_a_manifest_that_says_otherwise_is_refused(
    old: Instance, spare: Instance, tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    """An export of a later version, read as far as it can be understood; counts that nobody compares."""
    folder, new = tmp_path / "folder", spare
    manifest = old.export(folder)
    values = {name: getattr(manifest, name) for name in Manifest.__slots__}
    part = manifest.parts["tables/matches.jsonl.gz"]
    if {"rows", "sha256"} & change.keys():
        part = type(part)(**{"bytes": part.bytes, "sha256": part.sha256, "rows": part.rows} | change)
        change = {"parts": manifest.parts | {"tables/matches.jsonl.gz": part}}
    text = Manifest(**values | change).written()
    if change.get("sequences", 0) is None:
        text = manifest.written().replace(b'"sequences":{', b'"sequences":{"another":1,')
    (folder / "manifest.json").write_bytes(text)
    with pytest.raises(InputError, match=why):
        restore(new.pool, new.store, folder)
    assert new.empty()


def test_an_instance_that_has_anything_is_not_imported_into(whole: Path, make: Make) -> None:
    """Two instances in one."""
    new = make()
    with new.pool.connection() as connection:
        connection.execute("insert into players values ('SOMEBODY', now(), now())")
    before = new.content()
    with pytest.raises(InputError, match=r"not empty \(players\)"):
        restore(new.pool, new.store, whole)
    assert new.content() == before
    with pytest.raises(InputError, match="as the owner"):
        restore(new.application, new.store, whole)


def test_whoever_writes_meanwhile_is_not_mixed_in(whole: Path, make: Make) -> None:
    """A worker that was forgotten, and its rows between those of the export."""
    new = make()
    with psycopg.connect(new.dsn) as worker:
        worker.execute("insert into players values ('SOMEBODY', now(), now())")
        with pytest.raises(InputError, match="stop its web and workers"):
            restore(new.pool, new.store, whole)
    with pytest.raises(InputError, match="not empty"):
        restore(new.pool, new.store, whole)


def test_models_land_in_the_store_there_is(old: Instance, make: Make, tmp_path: Path) -> None:
    """Models on the disk of a machine that is not there tomorrow; rows of models whose files could not be stored."""
    new, bucket, whole = make(), Bucket(), _exported(old, tmp_path / "whole.tar")
    with (
        served(bucket.app()) as url,
        contextlib.closing(SupabaseStore(url, SECRET, attempts=1)) as store,
        contextlib.closing(SupabaseStore(url, "sb_secret_of_somebody", attempts=1)) as refused,
    ):
        with pytest.raises(ArtifactError):
            restore(new.pool, refused, whole)
        assert new.empty()
        restore(new.pool, store, whole)
        again = export(new.pool, store, tmp_path / "again.tar", NOW)
    assert bucket.objects.keys() == {part for part in again.parts if part.startswith("models/")}
    assert all((old.home / name).read_bytes() == stored for name, stored in bucket.objects.items())
    assert list(new.home.iterdir()) == []
    assert again.parts == old.export(tmp_path / "old.tar").parts


def test_rows_that_break_a_rule_undo_everything(whole: Path, make: Make) -> None:
    """The first half of the tables, committed before the second one failed."""
    new = make()
    with new.pool.connection() as connection:
        connection.execute("alter table api_keys add check (name <> 'me')")
    with pytest.raises(InputError, match="a row of api_keys breaks a rule"):
        restore(new.pool, new.store, whole)
    with new.pool.connection() as connection:
        assert transfer.filled(connection) == []
        assert list(new.home.glob("models/*/*")), "files that nothing refers to are harmless"
        connection.execute("alter table api_keys drop constraint api_keys_name_check1")
    assert restore(new.pool, new.store, whole).verified.broken is None


def test_a_ledger_that_was_broken_comes_back_broken(old: Instance, make: Make, tmp_path: Path) -> None:
    """An import that vouches for a record that was rewritten, or one that heals it."""
    bad, new = make(), make()
    restore(bad.pool, bad.store, _exported(old, tmp_path / "good.tar"))
    with bad.pool.connection() as connection:
        connection.execute("alter table ledger disable trigger user")
        connection.execute("update ledger set content = replace(content, '\"p_a\":0', '\"p_a\":1') where seq = 2")
        connection.execute("alter table ledger enable trigger user")
    found = restore(new.pool, new.store, _exported(bad, tmp_path / "bad.tar"))
    assert found.verified.broken is not None
    assert found.verified.broken.seq == 2
    assert new.content() == bad.content()


def _exported(instance: Instance, path: Path) -> Path:
    instance.export(path)
    return path


def test_an_export_during_writes_is_one_moment(old: Instance, make: Make, tmp_path: Path) -> None:
    """Matches of players that were not yet there; a forecast without its row in the ledger."""
    live, new = make(), make()
    restore(live.pool, live.store, _exported(old, tmp_path / "first.tar"))
    before, seen = live.content(), []

    def write(_share: float, said: str) -> None:
        """Somebody writes into every table's neighbour after each word on progress."""
        seen.append(said)
        with live.pool.connection() as connection:
            n = len(seen)
            connection.execute("insert into players values (%s, now(), now())", (f"NEW {n}",))
            connection.execute("select ledger_add(clock_timestamp(), 'grade', '{}')")
            connection.execute("delete from job_logs where ctid in (select ctid from job_logs limit 1)")
            connection.execute("update upcoming_matches set last_seen_at = now()")

    live.export(tmp_path / "during.tar", progress=write)
    assert len(seen) > len(NAMES)
    restore(new.pool, new.store, tmp_path / "during.tar")
    assert new.content() == before
    assert new.content()["players"] != live.content()["players"]


def test_what_is_interrupted_leaves_nothing(old: Instance, tmp_path: Path) -> None:
    """Half a file that somebody restores from one day; a file that was good, overwritten."""

    def interrupt(_share: float, said: str) -> None:
        if said.startswith("ledger"):
            signal.raise_signal(signal.SIGINT)

    for name in ("half.tar", "half"):
        with pytest.raises(KeyboardInterrupt):
            old.export(tmp_path / name, progress=interrupt)
    assert list(tmp_path.iterdir()) == []
    lost = next(old.home.glob("models/state/*"))
    content = lost.read_bytes()
    lost.unlink()
    with pytest.raises(ArtifactError, match="cannot read"):
        old.export(tmp_path / "half.tar")
    lost.write_bytes(content)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "good.tar").write_bytes(b"of yesterday")
    with pytest.raises(InputError, match="there already"):
        old.export(tmp_path / "good.tar")
    assert (tmp_path / "good.tar").read_bytes() == b"of yesterday"
    with pytest.raises(InputError, match="cannot write"):
        old.export(tmp_path / "nowhere" / "good.tar")


def test_a_disk_that_fills_up_is_said(make: Make, tmp_path: Path) -> None:
    """A backup that hangs for ever with a table half copied, and holds a snapshot of the database meanwhile."""
    large, before = make(), resource.getrlimit(resource.RLIMIT_FSIZE)
    with large.pool.connection() as connection:
        connection.execute(
            "insert into raw_payloads (source, dialect, resource, day, sha256, body, size, first_fetched_at, "
            "last_fetched_at) select 'test', 'h2h-2026', 'schedule', date '2026-01-01' + n, "
            "encode(sha256(n::text::bytea), 'hex'), string_agg(sha512((n || ' ' || i)::bytea), ''), 1, now(), now() "
            "from generate_series(1, 50) n, generate_series(1, 1000) i group by n"
        )
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(InputError, match=r"cannot write .*: File too large"):
            large.export(tmp_path / "half.tar")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_the_command_finds_nothing_left(old: Instance, tmp_path: Path, number: signal.Signals) -> None:
    """A session that was cut off, a container that was stopped: half a backup in a folder that nobody sees."""
    environment = {**os.environ, "DATABASE_URL": old.dsn, "TIPOFF_HOME": str(old.home), "PYTHONPATH": str(ROOT)}
    with psycopg.connect(old.dsn) as holder:
        holder.execute("lock table ledger in access exclusive mode")
        with subprocess.Popen(
            [sys.executable, "-m", "tipoff", "export", str(tmp_path / "half.tar")],
            cwd=old.home, env=environment, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            eventually(lambda: list(tmp_path.iterdir()), "the export to begin")
            process.send_signal(number)
            _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert list(tmp_path.iterdir()) == []


def test_numbers_go_on_after_the_greatest(old: Instance, whole: Path, make: Make) -> None:
    """An alert whose number somebody knows as another one's."""
    with old.pool.connection() as connection:
        connection.execute("insert into quarantine (payload_id, row_index, reason, detail, row, row_sha256, "
                           "first_seen_at, last_seen_at) select payload_id, 1, 'gone', '', '', 'x', now(), now() "
                           "from quarantine limit 1")  # fmt: skip
        connection.execute("delete from quarantine where reason = 'gone'")
        greatest = transfer.sequences(connection)
    new = make()
    path = whole.with_name("numbers.tar")
    old.export(path)
    restore(new.pool, new.store, path)
    with new.pool.connection() as connection:
        assert {n: v for n, v in transfer.sequences(connection).items() if n in greatest} == {
            name: number for name, number in greatest.items() if name not in ("outbox_id_seq", "deliveries_id_seq")
        }


def test_who_does_not_own_the_tables_exports_nothing(old: Instance, tmp_path: Path) -> None:
    """Numbers that are given again after a restore: a role that may not read sequences sees none."""
    with pytest.raises(InputError, match="as the owner"):
        export(old.application, old.store, tmp_path / "half.tar", NOW)
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_instance(make: Make, tmp_path: Path) -> None:
    """18,000 matches with their raw payloads in memory at once."""
    large, new = make(), make()
    with large.pool.connection() as connection:
        connection.execute(
            "insert into raw_payloads (source, dialect, resource, day, sha256, body, size, first_fetched_at, "
            "last_fetched_at) select 'test', 'h2h-2026', 'schedule', date '2026-01-01' + n, "
            "encode(sha256(n::text::bytea), 'hex'), decode(repeat(md5(n::text), 8000), 'hex'), 1, now(), now() "
            "from generate_series(1, 50) n"
        )
        connection.execute("insert into players select 'P' || n, now(), now() from generate_series(1, 10000) n")
    tracemalloc.start()
    try:
        large.export(tmp_path / "large.tar")
        restore(new.pool, new.store, tmp_path / "large.tar")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 5e6
    assert new.content()["players"] == large.content()["players"]
    with tarfile.open(tmp_path / "large.tar") as tar:
        assert len(tar.getnames()) == len(NAMES) + 1
