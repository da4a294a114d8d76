"""The real Supabase CLI and our own runner: either may apply what the other has not."""

from __future__ import annotations

import concurrent.futures
import contextlib
import re
from pathlib import Path

import psycopg
import pytest

from tests.jobs import eventually
from tests.supabase.catalogue import catalogue
from tests.supabase.conftest import Servers
from tests.supabase.project import Checkout, bare_database, command_line, new_project
from tests.versions import VERSIONS, binaries
from tipoff.storage.migrations import FOLDER, files, migrate, pending
from tipoff.storage.pool import open_pool

FOREIGN = re.compile(
    r"^\s*(begin;|(?:start|begin) transaction|commit|rollback|savepoint|vacuum|copy|\\\w+|"
    r"(?:re)?set (?:session|role|search_path|time|\w+_timeout)|create (?:unique )?index concurrently|"
    r"drop index concurrently|alter type .* add value)",
    re.IGNORECASE | re.MULTILINE,
)
UP_TO_DATE = "Remote database is up to date"
HALF = len(files()) // 2


def ours(address: str, folder: Path = FOLDER) -> list[str]:
    """Our runner on that database: the versions it applied."""
    with contextlib.closing(open_pool(address)) as pool:
        applied = migrate(pool, folder)
        assert pending(pool, folder) == []
    return applied


def missing(address: str) -> list[str]:
    """Versions that our runner would apply."""
    with contextlib.closing(open_pool(address)) as pool:
        return pending(pool)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """All of our migrations, for the CLI."""
    return Checkout(tmp_path / "whole")


def test_on_a_bare_postgres(servers: Servers, checkout: Checkout) -> None:
    """Migrations that need what only a Supabase project has; a history that one of the two cannot read."""
    by_them, by_us = bare_database(servers(18)), bare_database(servers(18))
    checkout.push(by_them)
    assert missing(by_them) == []
    assert ours(by_them) == []
    assert ours(by_us) == [version for version, _, _ in files()]
    assert UP_TO_DATE in checkout.run("db", "push", "--dry-run", address=by_us)[1]
    code, listed = checkout.run("migration", "list", address=by_us)
    assert code == 0
    assert all(listed.count(version) == 2 for version, _, _ in files()), listed
    assert catalogue(by_them) == catalogue(by_us)


@pytest.mark.parametrize("version", VERSIONS)
def test_either_may_finish_what_the_other_began(servers: Servers, tmp_path: Path, version: int) -> None:
    """A statement that is split wrongly, or means something else on a connection of the other's."""
    made = [new_project(servers(version)) for _ in range(3)]
    ours(made[0])
    first, whole = Checkout(tmp_path / "first", HALF), Checkout(tmp_path / "whole")
    first.push(made[1])
    assert len(ours(made[1])) == len(files()) - HALF
    assert UP_TO_DATE in whole.run("db", "push", "--dry-run", address=made[1])[1]
    assert len(ours(made[2], first.migrations)) == HALF
    whole.push(made[2])
    assert missing(made[2]) == []
    expected = catalogue(made[0])
    assert len(expected["relations"]) > 50
    assert [catalogue(one) for one in made[1:]] == [expected] * 2


def test_a_file_that_fails_leaves_nothing(servers: Servers, checkout: Checkout) -> None:
    """Half a migration, which nobody can repeat; one that failed and counts as applied."""
    good, bad = "create table first_half (n integer);", "create table second_half (n integer) wit;"
    (checkout.migrations / "20991231000000_broken.sql").write_text(good + bad)
    by_them, by_us = new_project(servers(17)), new_project(servers(17))
    code, said = checkout.run("db", "push", address=by_them)
    assert (code, "syntax error" in said) == (1, True)
    with contextlib.closing(open_pool(by_us)) as pool, pytest.raises(psycopg.errors.SyntaxError):
        migrate(pool, checkout.migrations)
    found = [catalogue(one) for one in (by_them, by_us)]
    assert found[0] == found[1]
    assert len(found[0]["history"]) == len(files())
    assert not [line for line in found[0]["relations"] if "_half" in line]


def test_both_at_once(servers: Servers, checkout: Checkout) -> None:
    """A push to the production branch starts Supabase's integration and Render's deploy together.

    Who comes second may have to run again; the schema is whole, and our runner does not fail.
    """
    alone, address = new_project(servers(17)), new_project(servers(17))
    ours(alone)
    with checkout.start("db", "push", address=address) as other:
        eventually(lambda: len(missing(address)) < len(files()), "the CLI to begin")
        ours(address)
        other.communicate(timeout=60)
    checkout.push(address)
    assert catalogue(address) == catalogue(alone)


def test_a_file_that_another_applies_meanwhile(servers: Servers) -> None:
    """A deploy that fails because the same migration was just being applied without a lock."""
    address = new_project(servers(17))
    version, name, sql = files()[0]
    with psycopg.connect(address) as other, concurrent.futures.ThreadPoolExecutor() as threads:
        other.execute("create schema supabase_migrations")
        other.execute(
            "create table supabase_migrations.schema_migrations "
            "(version text primary key, statements text[], name text)"
        )
        other.commit()
        other.execute(sql.encode())
        mine = threads.submit(ours, address)
        eventually(lambda: _waits(address), "our runner to wait for the other")
        other.execute("insert into supabase_migrations.schema_migrations values (%s, '{}', %s)", (version, name))
        other.commit()
        assert mine.result(60) == [v for v, _, _ in files()[1:]]


def _waits(address: str) -> bool:
    with psycopg.connect(address) as connection:
        found = connection.execute(
            "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ).fetchall()
    return bool(found)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.sql")), ids=lambda path: path.stem)
def test_a_file_has_nothing_that_only_one_of_them_can_do(path: Path) -> None:
    """A transaction ended within a file, a setting that the next file inherits, what psql alone understands."""
    found = FOREIGN.findall(path.read_text())
    assert not found, f"{path.name}: {found}; see docs/decisions/0018-supabase.md"
    assert all(
        FOREIGN.search(f"select 1;\n{line}") for line in ("commit;", "Set role x;", "\\set x 1", "copy a from stdin;")
    )


def test_what_was_said_to_be_here_is_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Continuous integration that fetched a part, lost it, and is green because its tests were skipped."""
    monkeypatch.setenv("TIPOFF_SUPABASE_CLI", "/nowhere/supabase")
    monkeypatch.setenv("TIPOFF_POSTGRES_17", "/nowhere/bin")
    with pytest.raises(pytest.fail.Exception, match="TIPOFF_SUPABASE_CLI"):
        command_line()
    with pytest.raises(pytest.fail.Exception, match="TIPOFF_POSTGRES_17"):
        binaries(17)
