"""`tipoff webhooks`, as somebody types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import application_dsn, dsn, pool, server, template
from tests.jobs import ROOT
from tests.receiver import Receiver
from tipoff.storage.pool import Pool

__all__ = ["application_dsn", "dsn", "pool", "server", "template"]


class Command:
    """The command on one database."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.environment = {
            **os.environ, "DATABASE_URL": dsn, "TIPOFF_HOME": str(folder), "PYTHONPATH": str(ROOT),
            "TIPOFF_OWNER_DATABASE_URL": dsn.replace("user=tipoff_app", "user=postgres"),
        }  # fmt: skip
        self.folder = folder

    def __call__(self, *arguments: str, private: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it."""
        more = {"TIPOFF_WEBHOOKS_PRIVATE": "true"} if private else {}
        return subprocess.run(
            [sys.executable, "-m", "tipoff", "webhooks", *arguments], env={**self.environment, **more},
            cwd=self.folder, check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip


@pytest.fixture
def command(application_dsn: str, tmp_path: Path) -> Command:
    """`tipoff webhooks`."""
    return Command(application_dsn, tmp_path)


def test_from_adding_to_removing(command: Command, pool: Pool) -> None:
    """A receiver that is added and never told; a secret that is shown again."""
    with Receiver() as receiver:
        added = command("add", "--name", "ops", "--url", receiver.url)
        assert added.returncode == 0, added.stderr
        secret = added.stdout.strip()
        assert secret.startswith("whsec_")
        assert secret not in added.stderr
        again = command("add", "--name", "ops", "--url", receiver.url)
        assert (again.returncode, "already" in again.stderr) == (1, True)
        good = command("test", "ops", "--json")
        assert good.returncode == 0, good.stderr
        assert json.loads(good.stdout) | {"milliseconds": 0} == {
            "message_id": 1, "delivered": True, "status": 204, "error": "", "milliseconds": 0,
        }  # fmt: skip
        assert [got.json["event"] for got in receiver.got] == ["test"]
        receiver.down()
        bad = command("test", "ops")
        assert bad.returncode == 1
        assert "not delivered: ConnectError" in bad.stdout
    log = json.loads(command("deliveries", "--json").stdout)
    assert [(one["channel"], one["ok"], one["state"]) for one in log] == [
        ("webhook:ops", False, "given_up"), ("webhook:ops", True, "delivered"),
    ]  # fmt: skip
    assert "webhook:ops" in command("deliveries").stdout
    listed = command("list", "--json")
    assert [one["name"] for one in json.loads(listed.stdout)] == ["ops"]
    assert secret not in listed.stdout + command("list").stdout
    assert command("remove", "ops").returncode == 0
    assert json.loads(command("list", "--json").stdout) == []
    assert "there is no webhook 'ops'" in command("remove", "ops").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--name", "a", "--url", "http://127.0.0.1:9/"), "begins with https://"),
        (("--name", "a", "--url", "https://127.0.0.1/"), "private address"),
        (("--name", "!", "--url", "https://hooks.example.com/"), "has a name of"),
        (("--name", "a", "--url", "https://hooks.example.com/", "--secret", "short"), "16 to 200"),
    ],
)
def test_what_cannot_be_is_refused(command: Command, arguments: tuple[str, ...], said: str) -> None:
    """A webhook that can never be told."""
    refused = command("add", *arguments, private=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert said in refused.stderr
