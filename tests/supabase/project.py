"""Databases as a Supabase project has them, and the real Supabase CLI."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest

from tests.jobs import ROOT
from tests.versions import PASSWORD, SUPERUSER

ROLES = {"anon": "nologin", "authenticated": "nologin", "service_role": "nologin bypassrls"}
OWNER = "postgres"
_numbers = itertools.count()


def as_user(address: str, user: str, database: str | None = None) -> str:
    """The same server for another role, and another database where one is named."""
    parts = urlsplit(address)
    netloc = f"{user}:{quote(PASSWORD, safe='')}@{parts.hostname}:{parts.port}"
    return urlunsplit((parts.scheme, netloc, database or parts.path, "", ""))


def make_roles(superuser: str) -> None:
    """Supabase's roles: the owner of everything is no superuser there."""
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(
            f"create role {OWNER} login createdb createrole bypassrls replication password '{PASSWORD}'".encode()
        )
        for name, what in ROLES.items():
            connection.execute(f"create role {name} {what}".encode())


def new_project(superuser: str, like: str | None = None) -> str:
    """The owner's address of a project, empty or a copy, with the defaults of old ones: everything for everybody."""
    name = f"project_{next(_numbers)}"
    template = urlsplit(like).path.removeprefix("/") if like else "template1"
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"create database {name} owner {OWNER} template {template}".encode())
    if like:
        return as_user(superuser, OWNER, name)
    with psycopg.connect(as_user(superuser, SUPERUSER, name), autocommit=True) as connection:
        everybody = ", ".join(ROLES)
        connection.execute(f"grant usage on schema public to {OWNER}, {everybody}".encode())
        for what in ("tables", "functions", "sequences"):
            connection.execute(
                f"alter default privileges for role {OWNER} in schema public grant all on {what} "
                f"to {OWNER}, {everybody}".encode()
            )
    return as_user(superuser, OWNER, name)


def bare_database(superuser: str) -> str:
    """The superuser's address of an empty database, as any Postgres gives."""
    name = f"bare_{next(_numbers)}"
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    return as_user(superuser, SUPERUSER, name)


def command_line() -> Path:
    """The Supabase CLI; skips where this machine has none, fails where it was said to have."""
    told = os.environ.get("TIPOFF_SUPABASE_CLI")
    if told:
        if not os.access(told, os.X_OK):
            pytest.fail(f"TIPOFF_SUPABASE_CLI is {told}, where there is no program")
        return Path(told)
    found = shutil.which("supabase", path=f"{os.environ['PATH']}:{Path.home()}/.cache/tipoff/node_modules/.bin")
    if found is None:
        pytest.skip("the Supabase CLI is not here: .ci/run fetches it where there is npm (TIPOFF_SUPABASE_CLI)")
    return Path(found)


class Checkout:
    """A folder with our `supabase/`, or the first migrations of it, in which the CLI may write."""

    def __init__(self, folder: Path, first: int | None = None) -> None:
        self.program, self.folder = command_line(), folder
        self.migrations = folder / "supabase" / "migrations"
        self.migrations.mkdir(parents=True)
        shutil.copy(ROOT / "supabase" / "config.toml", folder / "supabase")
        for path in sorted((ROOT / "supabase" / "migrations").glob("*.sql"))[:first]:
            shutil.copy(path, self.migrations)

    def start(self, *arguments: str, address: str) -> subprocess.Popen[str]:
        """Begin a command on that database."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "SUPABASE_TELEMETRY_DISABLED": "1"}
        return subprocess.Popen(
            [self.program, *arguments, "--workdir", str(self.folder), f"--remote={address}", "--yes"],
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip

    def run(self, *arguments: str, address: str) -> tuple[int, str]:
        """Its exit code and all it said, which never has the password."""
        with self.start(*arguments, address=address) as process:
            said, _ = process.communicate(timeout=60)
        assert PASSWORD not in said
        assert quote(PASSWORD, safe="") not in said
        assert "WARN" not in said
        return process.returncode, said

    def push(self, address: str) -> str:
        """Apply what is missing."""
        code, said = self.run("db", "push", address=address)
        assert code == 0, said
        return said
