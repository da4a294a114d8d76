"""Processes that refuse to start: by the command of the deployment contract, as a worker, and as a command alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.jobs import ROOT
from tests.secrets import shown
from tests.web import free_port

PASSWORD = "p4ss/w0rd+pg"
KEY = "sb_secret_Service-r0le"
WRONG: list[tuple[dict[str, str], list[str]]] = [
    (
        {
            "SUPABASE_URL": "https://abcd.supabase.co/rest/v1", "SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_x",
            "DATABASE_URL": f"postgresql://me:{PASSWORD}@db.example.org/x?sslmode=disable",
            "CORS_ORIGINS": "[", "API_PORT": "x", "TIPOFF_HEALTH_EVERY": "0",
        },
        [
            "SUPABASE_URL has more than a host: give https://", "SUPABASE_SERVICE_ROLE_KEY is a key for the public: ",
            "DATABASE_URL is no address of a Postgres: give postgresql://", "API_PORT cannot be read",
            "CORS_ORIGINS cannot be read: origins as JSON", "TIPOFF_HEALTH_EVERY cannot be read",
        ],
    ),
    (
        {
            "RENDER": "true", "SUPABASE_URL": "https://abcd.supabase.co", "SUPABASE_SERVICE_ROLE_KEY": KEY,
            "OPERATOR_API_KEY": KEY, "DATABASE_URL": "host=db.example.org sslmode=disable user=me",
        },
        ["OPERATOR_API_KEY is the same secret as SUPABASE_SERVICE_ROLE_KEY", "DATABASE_URL asks for sslmode=disable"],
    ),
]  # fmt: skip


def started(home: Path, settings: dict[str, str]) -> list[subprocess.Popen[str]]:
    """A web process, a worker and a command."""
    hidden = {"DATABASE_URL", "TIPOFF_OWNER_DATABASE_URL", "PORT"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"TIPOFF_HOME": str(home), "PYTHONPATH": str(ROOT), **settings}
    commands = (
        ["uvicorn", "backend.app.api:app", "--host", "127.0.0.1", "--port", str(free_port())],
        ["tipoff", "worker"], ["tipoff", "db", "migrate"],
    )  # fmt: skip
    return [
        subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, cwd=home, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )
        for command in commands
    ]  # fmt: skip


def test_each_says_why_and_touches_nothing(tmp_path: Path) -> None:
    """A process that starts half; one that fails with a traceback; an exit code that looks like any other failure."""
    for number, (settings, expected) in enumerate(WRONG):
        home = tmp_path / str(number)
        home.mkdir()
        for process in started(home, settings):
            out, err = process.communicate(timeout=60)
            assert process.returncode == 2, (process.args, out, err)
            assert err.startswith("error: settings:"), err
            assert [one for one in expected if one not in err] == [], err
            assert "Traceback" not in err
            assert not shown(out + err)
        assert not list(home.iterdir())


def test_what_needs_a_database_refuses_without_one(tmp_path: Path) -> None:
    """A ledger on a disk that is thrown away; a preparation of a deploy that succeeds at nothing."""
    example = {
        "SUPABASE_URL": "your_supabase_url", "SUPABASE_ANON_KEY": "your_anon_key", "API_PORT": "$PORT",
        "SUPABASE_SERVICE_ROLE_KEY": "your_service_key", "CORS_ORIGINS": '["*"]',
    }  # fmt: skip
    web, worker, migrate = started(tmp_path, example)
    web.terminate()  # it would serve
    web.communicate()
    for process in (worker, migrate):
        out, err = process.communicate(timeout=60)
        assert process.returncode == 2, (out, err)
        assert "DATABASE_URL is not set" in err
        assert "SUPABASE_SERVICE_ROLE_KEY" in err
    assert not list(tmp_path.glob("postgres*"))
