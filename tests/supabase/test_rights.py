"""What Supabase's roles may do: everybody has the publishable key, so `anon` is the whole world."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.sealing import MINUTE, body, waiting
from tests.supabase.conftest import Servers
from tests.supabase.project import as_user, new_project
from tests.versions import SUPERUSER, VERSIONS
from tipoff.storage import ledger
from tipoff.storage.migrations import FOLDER, migrate
from tipoff.storage.pool import open_pool

PUBLIC = ("anon", "authenticated")
APPEND_ONLY = {"ledger": "", "match_predictions": "", "match_arrivals": "i", "forecast_revision": "u"}
"""what the server's key may do with tables that others write, or nobody changes (insert, update, delete, truncate)"""
CLOSED = "create table later (n integer); alter table later enable row level security;"
Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module", params=VERSIONS)
def address(request: pytest.FixtureRequest, servers: Servers) -> str:
    """The superuser's address of a project with the schema and a row in the ledger."""
    owner = new_project(servers(request.param))
    with contextlib.closing(open_pool(owner)) as pool:
        migrate(pool)
        with pool.connection() as connection:
            ledger.open_ledger(connection)
    return as_user(owner, SUPERUSER)


@pytest.fixture
def connection(address: str) -> Iterator[Connection]:
    """A connection that may become any role, as PostgREST's may."""
    with psycopg.connect(address, autocommit=True) as made:
        yield made


def become(connection: Connection, role: str) -> None:
    """Be that role from now on, as PostgREST is for a request."""
    connection.execute(f"set role {role}".encode())


def named(connection: Connection, kinds: str) -> list[str]:
    """Tables and the like of these kinds, from the catalogue, so that a new one cannot be forgotten."""
    rows = connection.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = any(%s) order by 1",
        (list(kinds),),
    ).fetchall()
    return [row[0] for row in rows]


def columns(connection: Connection, table: str) -> list[str]:
    """Columns that can be written."""
    rows = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped "
        "and attgenerated = '' and attidentity = ''",
        (table,),
    ).fetchall()
    return [row[0] for row in rows]


def may(connection: Connection, statement: str) -> bool:
    """Whether this role may do that; all is undone; a constraint that refuses it refused no right."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement.encode())
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.RestrictViolation):
        return False
    except (psycopg.errors.IntegrityError, psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.DataError):
        return True
    return True


def writes(table: str, column: str) -> list[str]:
    """Every way to change a table."""
    return [
        f"insert into public.{table} default values", f"update public.{table} set {column} = {column}",
        f"delete from public.{table}", f"truncate public.{table}",
    ]  # fmt: skip


def calls(connection: Connection) -> dict[str, str]:
    """Every routine with a statement that uses it, arguments null."""
    rows = connection.execute(
        "select oid::regprocedure::text, proname, prokind, prorettype = 'trigger'::regtype, "
        "coalesce((select string_agg('null::' || t::regtype, ', ') from unnest(proargtypes) t), '') "
        "from pg_proc where pronamespace = 'public'::regnamespace"
    ).fetchall()
    return {
        signature: "create temporary table t (n int); create trigger t before insert on t "
        f"execute function public.{name}()" if trigger
        else f"{'call' if kind == 'p' else 'select'} public.{name}({arguments})"
        for signature, name, kind, trigger, arguments in rows
    }  # fmt: skip


@pytest.mark.parametrize("role", PUBLIC)
def test_the_public_can_do_nothing(connection: Connection, role: str) -> None:
    """A page that anybody can change with the key that every browser has; keys and secrets read by everybody."""
    tables = {name: columns(connection, name) for name in named(connection, "rpmf")}
    statements = [statement for table, known in tables.items() for statement in writes(table, known[0])]
    statements += [f"select {column} from public.{table}" for table, known in tables.items() for column in known]
    statements += [f"table public.{name}" for name in named(connection, "rpmfvS")]
    statements += [f"select nextval('public.{name}')" for name in named(connection, "S")]
    statements += calls(connection).values()
    assert len(statements) > 400
    become(connection, role)
    assert [statement for statement in statements if may(connection, statement)] == []
    assert not may(connection, "create table public.mine (n integer)")
    assert not may(connection, "table supabase_migrations.schema_migrations")


def open_to_the_public(connection: Connection) -> list[str]:
    """Whatever is not closed as everything must be, by the catalogue."""
    rows = connection.execute(
        """
        select relname || ' has no row level security' from pg_class
          where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relrowsecurity
        union all
        select relname || ' is no security_invoker view' from pg_class
          where relnamespace = 'public'::regnamespace and relkind = 'v'
          and not coalesce(reloptions, '{}') && array['security_invoker=true', 'security_invoker=on']
        union all
        select relname || ' is open to ' || role from pg_class, unnest(%(roles)s::text[]) as r (role)
          where relnamespace = 'public'::regnamespace and case when relkind = 'S'
            then has_sequence_privilege(role, oid, 'usage, select, update')
            when relkind in ('r', 'p', 'v', 'm', 'f')
            then has_table_privilege(role, oid, 'select, insert, update, delete, truncate, references, trigger')
              or has_any_column_privilege(role, oid, 'select, insert, update, references') end
        union all
        select oid::regprocedure || ' can be called by ' || role from pg_proc, unnest(%(roles)s::text[]) as r (role)
          where pronamespace = 'public'::regnamespace and has_function_privilege(role, oid, 'execute')
        union all
        select oid::regprocedure || ' takes its search_path from its caller' from pg_proc
          where pronamespace = 'public'::regnamespace and prosecdef
          and not coalesce(proconfig, '{}') && array['search_path=""']
        union all
        select tablename || ' has a policy for ' || array_to_string(roles, ', ') from pg_policies
          where schemaname = 'public' and roles && %(public)s::name[]
        order by 1
        """,
        {"roles": list(PUBLIC), "public": [*PUBLIC, "public"]},
    ).fetchall()
    return [row[0] for row in rows]


def test_everything_is_closed(connection: Connection) -> None:
    """A table, view or function of a new migration whose author forgot the public."""
    assert open_to_the_public(connection) == []


@pytest.fixture(scope="module")
def migrated(servers: Servers) -> str:
    """The owner's address of a project with the schema, to be copied."""
    owner = new_project(servers(17))
    with contextlib.closing(open_pool(owner)) as pool:
        migrate(pool)
    return owner


@pytest.mark.parametrize(
    ("forgotten", "said"),
    [
        ("create table later (n integer)", ["later has no row level security"]),
        (CLOSED, []),
        (CLOSED + "grant select (n) on later to anon", ["later is open to anon"]),
        (CLOSED + "create policy p on later using (true)", ["later has a policy for public"]),
        (CLOSED + "create view seen as table later", ["seen is no security_invoker view"]),
        ("create sequence later", []),
        (
            "create function later() returns int language sql security definer as 'select 1'",
            [
                "later() can be called by anon", "later() can be called by authenticated",
                "later() takes its search_path from its caller",
            ],
        ),
    ],
)  # fmt: skip
def test_what_a_later_migration_forgets_is_found(
    servers: Servers, migrated: str, tmp_path: Path, forgotten: str, said: list[str]
) -> None:
    """Defaults of an old project that open a new table to the world; a test that looks away."""
    folder = tmp_path / "migrations"
    shutil.copytree(FOLDER, folder)
    (folder / "20991231000000_later.sql").write_text(forgotten)
    with contextlib.closing(open_pool(new_project(servers(17), like=migrated))) as pool:
        assert migrate(pool, folder) == ["20991231000000"]
        with pool.connection() as connection:
            assert open_to_the_public(connection) == said


def test_the_service_role_works_and_the_ledger_stays(connection: Connection) -> None:
    """The key of the server that cannot do its work, or that can write a record of its own making."""
    with connection.transaction():
        [(now,)] = connection.execute("select clock_timestamp()").fetchall()
        made = waiting(connection, [now + 10 * MINUTE])
    tables = {name: columns(connection, name)[0] for name in named(connection, "r")}
    granted = [_granted(connection, role) for role in ("service_role", "tipoff_app")]
    become(connection, "service_role")
    with connection.transaction(force_rollback=True):
        assert [o.isdigit() for o in ledger.seal(connection, [body(one) for one in made])] == [True]
    found = {
        table: "".join(
            letter for letter, one in zip("iudt", writes(table, column), strict=True) if may(connection, one)
        )
        for table, column in tables.items()
    }
    assert found == dict.fromkeys(tables, "iud") | APPEND_ONLY
    assert not [name for name in named(connection, "rv") if not may(connection, f"table public.{name}")]
    assert granted[0] == granted[1]
    assert len(granted[0]) > 100


def _granted(connection: Connection, role: str) -> list[tuple[str, str]]:
    """(what, privilege) of everything in public that was granted to a role."""
    rows = connection.execute(
        """
        select relname::text, privilege_type from pg_class, aclexplode(relacl)
          where relnamespace = 'public'::regnamespace and grantee = %(role)s::regrole
        union select oid::regprocedure::text, privilege_type from pg_proc, aclexplode(proacl)
          where pronamespace = 'public'::regnamespace and grantee = %(role)s::regrole
        order by 1, 2
        """,
        {"role": role},
    ).fetchall()
    return [(row[0], row[1]) for row in rows]
