"""What the doctor asks the database: where it is, who asks, what may be done, who works."""

from __future__ import annotations

import dataclasses
import datetime as dt

from tipoff.storage.pool import Connection

ROUNDS = 5
"""transactions in which two clients of a transaction pooler should have met on one connection"""


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """Version like 170004, and the moment by its clock."""

    version: int
    now: dt.datetime


def server(connection: Connection) -> Server:
    """Which server answers."""
    [row] = connection.execute("select current_setting('server_version_num')::int, clock_timestamp()").fetchall()
    return Server(*row)


def session_process(connection: Connection) -> int:
    """The server's process that works for this connection."""
    [(pid,)] = connection.execute("select pg_backend_pid()").fetchall()
    return int(pid)


def is_shared(one: Connection, other: Connection) -> bool:
    """Whether two connections are served by one session of the server in turn: a pooler in transaction mode."""
    for _ in range(ROUNDS):
        first = session_process(one)
        with other.transaction():
            if session_process(other) == first:
                return True
    return False


def connections(connection: Connection) -> tuple[int, int]:
    """(in use, how many there may be)."""
    [row] = connection.execute(
        "select (select count(*) from pg_stat_activity where backend_type = 'client backend')::int, "
        "current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    ).fetchall()
    return int(row[0]), int(row[1])


@dataclasses.dataclass(frozen=True, slots=True)
class Rights:
    """Who asks; whether the ledger's table is theirs; tables they may not read or write, and tables that are open."""

    role: str
    owns: bool
    unreadable: list[str]
    unwritable: list[str]
    unguarded: list[str]


def rights(connection: Connection) -> Rights:
    """What the role may do with the tables."""
    [row] = connection.execute(
        """
        select current_user::text,
          coalesce(bool_or(relname = 'ledger' and pg_has_role(current_user, relowner, 'member')), false),
          coalesce(array_agg(relname::text order by relname) filter (
            where not has_table_privilege(oid, 'select')), '{}'),
          coalesce(array_agg(relname::text order by relname) filter (
            where relname in ('job_queue', 'job_workers', 'system_health', 'raw_payloads', 'upcoming_matches')
              and not has_table_privilege(oid, 'insert, update')), '{}'),
          coalesce(array_agg(relname::text order by relname) filter (where not relrowsecurity), '{}')
        from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        """
    ).fetchall()
    return Rights(*row)


def schema_versions(connection: Connection) -> list[str]:
    """Migrations that were applied; none where there is no history."""
    [(there,)] = connection.execute(
        "select to_regclass('supabase_migrations.schema_migrations') is not null"
    ).fetchall()
    if not there:
        return []
    rows = connection.execute("select version from supabase_migrations.schema_migrations order by version").fetchall()
    return [str(row[0]) for row in rows]


def workers(connection: Connection, seconds: float) -> tuple[int, dt.datetime | None]:
    """(how many said within `seconds` that they live, when the last one did)."""
    [row] = connection.execute(
        "select count(*) filter (where seen_at > clock_timestamp() - make_interval(secs => %s))::int, max(seen_at) "
        "from job_workers",
        (seconds,),
    ).fetchall()
    return int(row[0]), row[1]
