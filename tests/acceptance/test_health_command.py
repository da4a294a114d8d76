"""`tipoff health` and `tipoff alerts` as people and scripts use them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.test_command_line import home, tipoff
from tests.jobs import ROOT
from tipoff.starting import REFUSED

__all__ = ["home"]
MORE = {"PYTHONPATH": str(ROOT), "TIPOFF_SOURCE": "league"}


def test_health_says_what_is_wrong_and_ends_with_a_code(home: Path) -> None:
    """A script that takes a broken system for a good one; JSON with a banner before it."""
    tipoff(home, "db", "up", **MORE)
    said = tipoff(home, "health", check=False, **MORE)
    assert said.returncode == 2
    for words in ("no worker is alive", "no_champion", "python -m tipoff worker"):
        assert words in said.stdout
    report = json.loads(tipoff(home, "health", "--json", check=False, **MORE).stdout)
    assert report["overall_status"] == "error"
    assert report["checks"]["database"]["status"] == "healthy"
    wrong = tipoff(home, "health", check=False, **MORE, TIPOFF_HEALTH_DISK_PERCENT_WARNING="99")
    assert wrong.returncode == REFUSED
    assert "TIPOFF_HEALTH_DISK_PERCENT_WARNING is above the one with _ERROR" in wrong.stderr
    away = tipoff(
        home, "health", "--json", check=False, **MORE, DATABASE_URL="postgresql://x:pw-secret@127.0.0.1:9/x"
    )
    assert away.returncode == 2
    assert json.loads(away.stdout)["checks"]["database"]["findings"][0]["rule"] == "database_away"
    assert "Connection refused" in away.stdout
    for hidden in ("pw-secret", "127.0.0.1"):  # everybody may read the report
        assert hidden not in away.stdout + away.stderr


def test_alerts_from_the_command_line(home: Path) -> None:
    """An alert that is taken care of twice, or does not exist; a trial that nobody gets."""
    assert tipoff(home, "alerts", "list", **MORE).stdout.strip() == "no alerts"
    assert json.loads(tipoff(home, "alerts", "list", "--json", **MORE).stdout) == []
    missing = tipoff(home, "alerts", "ack", "7", check=False, **MORE)
    assert (missing.returncode, "there is no alert 7" in missing.stderr) == (1, True)
    nobody = tipoff(home, "alerts", "test", check=False, **MORE)
    assert (nobody.returncode, "TIPOFF_ALERT_URLS" in nobody.stderr) == (1, True)
    sent = json.loads(tipoff(home, "alerts", "test", "--json", **MORE, TIPOFF_ALERT_URLS="json://127.0.0.1:9").stdout)
    assert sent["messages"] == 1
