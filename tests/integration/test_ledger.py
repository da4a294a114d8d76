"""The ledger against a real database: what it refuses, and that every tampering is found."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import gzip
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.sealing import MINUTE, body, waiting
from tipoff.errors import InputError, LedgerError
from tipoff.ledger.chain import Head, Verification, canonical, digest, verify
from tipoff.ledger.export import publish_head, read_export, read_heads, tag_head, write_export
from tipoff.pipeline.watch import verify_database
from tipoff.storage import ledger
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.ledger import LedgerRow
from tipoff.storage.pool import Pool, open_pool

ROWS = 10_000
BEGIN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "docs" / "verify_ledger.py"


def now_of(pool: Pool) -> dt.datetime:
    """The database's clock."""
    with pool.connection() as connection:
        [(moment,)] = connection.execute("select clock_timestamp()").fetchall()
    return moment


@pytest.fixture(scope="module")
def long_ledger(server: PrivatePostgres, template: str) -> str:
    """Address (as owner) of a database with 10,000 sealed and graded rows, to be copied and broken."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"create database long_ledger template {template}".encode())
    dsn = server.dsn.replace("dbname=postgres", "dbname=long_ledger")
    count = ROWS - 1
    with contextlib.closing(open_pool(dsn)) as pool, pool.connection() as connection:
        made = waiting(connection, [BEGIN + (60 + i) * MINUTE for i in range(count)])
        ledger.open_ledger(connection, "replay", "test", BEGIN)
        for begin in range(0, count, 1000):
            at = made[begin].start - 29 * MINUTE
            part = [body(f, 2000) for f in made[begin : begin + 1000]]
            assert all(outcome.isdigit() for outcome in ledger.seal(connection, part, at))
    return dsn


@pytest.fixture
def broken_into(server: PrivatePostgres, long_ledger: str) -> Iterator[psycopg.Connection[Any]]:
    """A copy of the long ledger, its guard switched off by its owner: what an intruder could do."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("drop database if exists intruded")
        connection.execute("create database intruded template long_ledger")
    with psycopg.connect(server.dsn.replace("dbname=postgres", "dbname=intruded"), autocommit=True) as connection:
        connection.execute("alter table ledger disable trigger user")
        connection.execute("alter table match_predictions drop constraint match_predictions_ledger_seq_fkey")
        yield connection


def chain_of(connection: psycopg.Connection[Any]) -> list[LedgerRow]:
    """All rows."""
    return [LedgerRow(*row) for row in connection.execute("select seq, prev, hash, content from ledger order by seq")]


def head_of(rows: list[LedgerRow], seq: int = ROWS) -> Head:
    """The head that was published when `seq` was the newest row."""
    row = rows[seq - 1]
    return Head(row.seq, row.hash, json.loads(row.content)["at"])


def test_a_changed_byte_anywhere_is_found(broken_into: psycopg.Connection[Any]) -> None:
    """A probability made better afterwards: in 100 places, each named."""
    rows = chain_of(broken_into)
    assert len(rows) == ROWS
    assert verify(rows).broken is None
    rng = random.Random(5)
    for _ in range(100):
        at = rng.randrange(ROWS)
        field = rng.choice(["content", "content", "hash", "prev"])
        text = bytearray(getattr(rows[at], field).encode())
        text[rng.randrange(len(text))] ^= 1 << rng.randrange(6)
        changed = dataclasses.replace(rows[at], **{field: text.decode(errors="replace")})
        found = verify([*rows[:at], changed, *rows[at + 1 :]])
        assert found.broken is not None
        assert found.broken.seq == at + 1, (field, found.broken)


def test_changes_inside_the_database_are_found(broken_into: psycopg.Connection[Any]) -> None:
    """The same through SQL: a content, a row in the middle, a swapped pair, a prediction beside the chain."""
    rows = chain_of(broken_into)

    def found() -> Verification:
        return verify(chain_of(broken_into))

    with broken_into.transaction(force_rollback=True):
        broken_into.execute("update ledger set content = replace(content, '108.0', '109.0') where seq = 5000")
        assert found().broken is not None
        assert found().broken.seq == 5000  # type: ignore[union-attr]
    with broken_into.transaction(force_rollback=True):
        broken_into.execute("delete from ledger where seq = 7000")
        assert found().broken.seq == 7000  # type: ignore[union-attr]
    with broken_into.transaction(force_rollback=True):
        for target, source in ((300, rows[300]), (301, rows[299])):
            broken_into.execute(
                "update ledger set prev = %s, hash = %s, content = %s where seq = %s",
                (source.prev, f"{target:064d}", source.content, target),
            )
        assert found().broken.seq == 300  # type: ignore[union-attr]
    with broken_into.transaction(force_rollback=True):
        broken_into.execute("alter table match_predictions disable trigger user")
        broken_into.execute("update match_predictions set p_a = 0.99 where ledger_seq = 42")
        broken_into.execute("delete from match_predictions where ledger_seq = 77")
        assert ledger.mismatched_predictions(broken_into) == [42, 77]
    assert ledger.mismatched_predictions(broken_into) == []


def test_a_removed_tail_is_found_against_a_published_head(broken_into: psycopg.Connection[Any]) -> None:
    """A bad week cut off the end, which the chain alone cannot show."""
    head = head_of(chain_of(broken_into))
    broken_into.execute("delete from ledger where seq > 9000")
    rows = chain_of(broken_into)
    assert verify(rows).broken is None
    broken = verify(rows, [head]).broken
    assert broken is not None
    assert broken.seq == 9001
    assert "missing" in broken.reason


def test_a_complete_rewrite_is_found_against_a_published_head(broken_into: psycopg.Connection[Any]) -> None:
    """A history written anew with better forecasts, every hash right."""
    rows = chain_of(broken_into)
    heads = [head_of(rows, 2500), head_of(rows, 6000)]
    prev, forged = "0" * 64, []
    for row in rows:
        content = row.content.replace('"margin_mean":1.5', '"margin_mean":4.5') if row.seq > 4000 else row.content
        forged.append(LedgerRow(row.seq, prev, digest(prev, content), content))
        prev = forged[-1].hash
    assert verify(forged).broken is None
    broken = verify(forged, heads).broken
    assert broken is not None
    assert broken.seq == 6000
    assert "rewritten" in broken.reason
    assert verify(rows, heads).broken is None


def script(*arguments: Path) -> subprocess.CompletedProcess[str]:
    """The documented script, in a Python that has no Tipoff."""
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT), *map(str, arguments)], check=False, capture_output=True, text=True,
        cwd="/", timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_the_independent_script_agrees(broken_into: psycopg.Connection[Any], tmp_path: Path, ending: str) -> None:
    """A verification that only our own code can repeat; and the script is about thirty lines."""
    rows = chain_of(broken_into)
    path, heads = tmp_path / f"ledger{ending}", tmp_path / "heads.jsonl"
    assert write_export(path, rows) == ROWS
    assert list(read_export(path)) == rows
    publish_head(head_of(rows, 6000), heads)
    good = script(path, heads)
    assert good.returncode == 0, good.stderr
    assert rows[-1].hash in good.stdout
    opener: Any = gzip.open if ending.endswith("gz") else open
    with opener(path, "rb") as file:
        lines = file.read().splitlines(keepends=True)
    forged = json.loads(lines[499])
    forged["content"] = forged["content"].replace('"margin_mean":1.5', '"margin_mean":1.6')
    bad = {
        500: [*lines[:499], canonical(forged).encode() + b"\n", *lines[500:]],
        1000: [*lines[:999], *lines[1000:]],
        2000: [*lines[:1999], lines[2000], lines[1999], *lines[2001:]],
        5001: lines[:5000],
        3000: [*lines[:2999], lines[2999].replace(b'","hash"', b'", "hash"'), *lines[3000:]],
    }
    for seq, content in bad.items():
        with opener(path, "wb") as out:
            out.writelines(content)
        theirs = script(path, heads)
        assert theirs.returncode == 1
        assert f"row {seq} " in theirs.stderr
        try:
            ours = verify(read_export(path), read_heads(heads)).broken
        except LedgerError as error:
            assert f"line {seq} " in str(error)  # noqa: PT017
        else:
            assert ours is not None
            assert ours.seq == seq


def test_the_script_is_short() -> None:
    """A script nobody reads before running it."""
    code = [line for line in SCRIPT.read_text().splitlines() if line.strip()]
    assert len(code) <= 40


def test_a_changed_byte_in_an_export_is_found(broken_into: psycopg.Connection[Any], tmp_path: Path) -> None:
    """A byte outside what the hash covers: the file's own syntax."""
    path = tmp_path / "ledger.jsonl"
    write_export(path, chain_of(broken_into)[:50])
    good = path.read_bytes()
    rng = random.Random(9)
    for _ in range(400):
        at = rng.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ (1 << rng.randrange(7))]) + good[at + 1 :])
        with contextlib.suppress(LedgerError):
            assert verify(read_export(path)).broken is not None


STATEMENTS = [
    "update ledger set content = content", "delete from ledger", "truncate ledger",
    "update match_predictions set p_a = 0.5", "delete from match_predictions", "truncate match_predictions",
    "truncate ledger cascade",
]  # fmt: skip
OF_THE_APPLICATION = [
    *STATEMENTS, "alter table ledger disable trigger all", "drop trigger ledger_append_only on ledger",
    "alter table ledger owner to tipoff_app", "drop table match_predictions",
    "insert into ledger values (1, '', '', '')",
    "select ledger_add(now(), 'seal', '{}')", "create or replace function refuse_change() returns trigger as $$ $$",
    "set session_replication_role = replica", "insert into match_predictions select * from match_predictions",
]  # fmt: skip


@pytest.mark.parametrize("statement", OF_THE_APPLICATION)
def test_the_application_cannot_change_the_record(pool: Pool, statement: str) -> None:
    """A guard that the guarded can switch off."""
    with pool.connection() as connection:
        [fixture] = waiting(connection, [now_of(pool) + 20 * MINUTE])
        ledger.open_ledger(connection)
        assert ledger.seal(connection, [body(fixture)]) == ["2"]
        assert not ledger.owns_ledger(connection)
    refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.SyntaxError)
    with pool.connection() as connection, pytest.raises(refused):
        connection.execute(statement.encode())


@pytest.mark.parametrize("statement", STATEMENTS)
def test_even_the_owner_is_refused_by_the_trigger(pool: Pool, owner: psycopg.Connection[Any], statement: str) -> None:
    """A mistake typed into psql."""
    with pool.connection() as connection:
        [fixture] = waiting(connection, [now_of(pool) + 20 * MINUTE])
        ledger.open_ledger(connection)
        ledger.seal(connection, [body(fixture)])
        assert ledger.owns_ledger(owner)
    with pytest.raises((psycopg.errors.RestrictViolation, psycopg.errors.FeatureNotSupported)):
        owner.execute(statement.encode())


def test_every_guard_is_there_and_on(owner: psycopg.Connection[Any]) -> None:
    """A guard that another one hides: truncating one table is also refused because of the other."""
    found = owner.execute(
        "select tgrelid::regclass::text, tgname from pg_trigger where tgfoid = 'refuse_change'::regproc "
        "and tgenabled = 'O' order by 1, 2"
    ).fetchall()
    tables = ("ledger", "match_arrivals", "match_predictions")
    assert found == [(t, f"{t}_{kind}") for t in tables for kind in ("append_only", "no_truncate")]


def test_what_may_not_be_sealed_is_refused_with_the_reason(pool: Pool) -> None:
    """A forecast after the start, too early, of a match nobody knows, of one that has moved, or twice."""
    now = now_of(pool)
    with pool.connection() as connection:
        late, early, moved, fine = waiting(
            connection, [now - MINUTE, now + 40 * MINUTE, now + 20 * MINUTE, now + 10 * MINUTE]
        )
        ledger.open_ledger(connection)
        unknown = dataclasses.replace(fine, external_id="nobody knows")
        elsewhere = dataclasses.replace(moved, start=moved.start + MINUTE)
        answers = ledger.seal(connection, [body(f) for f in (late, early, unknown, elsewhere, fine, fine)])
        assert "the match began at" in answers[0]
        assert "too early" in answers[1]
        assert "no such fixture" in answers[2]
        assert "has moved" in answers[3]
        assert answers[4:] == ["2", "sealed before"]
    found, wrong, owner = verify_database(pool)
    assert (found.rows, found.broken, wrong, owner) == (2, None, [], False)


def test_a_ledger_keeps_the_clock_it_was_opened_with(pool: Pool) -> None:
    """Times chosen by the one who seals."""
    with pool.connection() as connection:
        [fixture] = waiting(connection, [now_of(pool) - 60 * MINUTE])
        ledger.open_ledger(connection)
        ledger.open_ledger(connection, "replay", "later", BEGIN)
        row = ledger.first(connection)
        assert row is not None
        assert ledger.content(row)["body"]["clock"] == "database"
    with pool.connection() as connection, pytest.raises(LedgerError, match="no time may"):
        ledger.seal(connection, [body(fixture)], fixture.start - 5 * MINUTE)


def test_a_replay_moves_forward_only(pool: Pool) -> None:
    """A replay that goes back to seal what it missed."""
    with pool.connection() as connection:
        one, two = waiting(connection, [BEGIN + 60 * MINUTE, BEGIN + 70 * MINUTE])
        ledger.open_ledger(connection, "replay", "r\u00e9play", BEGIN)
        assert ledger.seal(connection, [body(two)], two.start - 5 * MINUTE) == ["2"]
    with pool.connection() as connection, pytest.raises(LedgerError, match="not before"):
        ledger.seal(connection, [body(one)], one.start - 5 * MINUTE)
    with pool.connection() as connection, pytest.raises(LedgerError):
        ledger.seal(connection, [body(one)])
    assert verify_database(pool)[0].clock == "replay"


def sealer(dsn: str, prefix: str, horizon: int = 30) -> subprocess.Popen[str]:
    """A process that seals and waits for a line to begin."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.sealer", dsn, prefix, str(horizon)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, bufsize=1,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def begin(process: subprocess.Popen[str]) -> None:
    """Let it go."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_eight_processes_make_one_chain(pool: Pool, application_dsn: str) -> None:
    """A fork: two rows that continue the same one; or a match sealed twice."""
    with pool.connection() as connection:
        ledger.open_ledger(connection)
        waiting(connection, [now_of(pool) + 25 * MINUTE + i * dt.timedelta(seconds=1) for i in range(60)])
    processes = [sealer(application_dsn, "F") for _ in range(8)]
    for process in processes:
        begin(process)
    said = []
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        said += [json.loads(line) for line in out.splitlines()]
    assert len(said) == 8 * 60
    rows = [outcome for _, outcome, _ in said if outcome.isdigit()]
    assert sorted(map(int, rows)) == list(range(2, 62))
    assert sum(outcome == "sealed before" for _, outcome, _ in said) == 7 * 60
    found, wrong, _ = verify_database(pool)
    assert (found.rows, found.broken, wrong) == (61, None, [])


def test_a_wrong_clock_cannot_seal_late(pool: Pool, application_dsn: str) -> None:
    """A worker ten minutes slow that believes its matches have not begun."""
    with pool.connection() as connection:
        ledger.open_ledger(connection)
        waiting(connection, [now_of(pool) - i * MINUTE for i in range(1, 10)])
    slow = _slow_clock(application_dsn)
    out, _ = slow.communicate("go\n", timeout=120)
    said = [json.loads(line) for line in out.splitlines()[1:]]
    assert len(said) == 9
    assert all("refused: the match began" in outcome for _, outcome, _ in said)
    believed = [dt.datetime.fromisoformat(at) for _, _, at in said]
    assert all(at < now_of(pool) - 9 * MINUTE for at in believed)
    assert verify_database(pool)[0].rows == 1


def _slow_clock(dsn: str) -> subprocess.Popen[str]:
    """The same process with a clock that is ten minutes behind, in Python."""
    code = (
        "import datetime as real, runpy, sys\n"
        "class Slow(real.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None):\n"
        "        return real.datetime.fromtimestamp(__import__('time').time() - 600, tz)\n"
        "real.datetime = Slow\n"
        f"sys.argv = ['sealer', {dsn!r}, 'F', '30']\n"
        "runpy.run_module('tests.integration.sealer', run_name='__main__')\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )


def test_killed_while_sealing_fifty_times(pool: Pool, application_dsn: str) -> None:
    """Half a row, or a row that was said to be sealed and is not there."""
    with pool.connection() as connection:
        ledger.open_ledger(connection)
        waiting(connection, [now_of(pool) + 25 * MINUTE + i * dt.timedelta(milliseconds=100) for i in range(2500)])
    rng = random.Random(11)
    acknowledged: set[str] = set()
    for _ in range(25):
        pair = [sealer(application_dsn, "F") for _ in range(2)]
        for process in pair:
            begin(process)
        for process in pair:
            assert process.stdout is not None
            for _ in range(rng.randint(1, 15)):
                name, outcome, _ = json.loads(process.stdout.readline())
                assert outcome.isdigit() or outcome == "sealed before"
                acknowledged.add(name)
        for process in pair:
            process.kill()
            process.communicate()
    found, wrong, _ = verify_database(pool)
    assert found.broken is None
    assert wrong == []
    with pool.connection() as connection:
        sealed = {row[0] for row in connection.execute("select external_id from match_predictions").fetchall()}
    assert acknowledged <= sealed
    assert found.rows == len(sealed) + 1
    assert len(sealed) < 2500


def test_heads_are_published_once_and_read_back(tmp_path: Path) -> None:
    """A head that is lost, or a file of heads that cannot be read."""
    path = tmp_path / "deep" / "heads.jsonl"
    head = Head(7, "f" * 64, "2026-03-01T00:00:00.000000Z")
    assert publish_head(head, path)
    assert not publish_head(head, path)
    assert read_heads(path) == [head]
    path.write_text("not json\n")
    with pytest.raises(InputError, match="line 1 is not a saved head"):
        read_heads(path)
    with pytest.raises(InputError, match="cannot read"):
        read_heads(tmp_path / "nowhere")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with pytest.raises(InputError, match="no tag could be set"):
        tag_head(head, tmp_path)
    commit = ["-c", "user.name=T", "-c", "user.email=t@localhost", "commit", "-q", "--allow-empty", "-m", "x"]
    subprocess.run(["git", "-C", str(tmp_path), *commit], check=True)
    assert tag_head(head, tmp_path) == tag_head(head, tmp_path) == "tipoff-ledger-7"
    shown = subprocess.run(
        ["git", "-C", str(tmp_path), "tag", "-n3", "-l"], check=True, capture_output=True, text=True
    ).stdout
    assert head.hash in shown


def test_an_interrupted_export_leaves_nothing(tmp_path: Path) -> None:
    """Half an export that looks whole."""
    path = tmp_path / "ledger.jsonl.gz"

    def rows() -> Iterator[LedgerRow]:
        yield LedgerRow(1, "0" * 64, "0" * 64, "{}")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_export(path, rows())
    assert list(tmp_path.iterdir()) == []
