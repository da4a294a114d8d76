"""`tipoff odds` and the comparison of a backtest, as people read them."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import application_dsn, dsn, pool, server, template
from tests.integration.test_ingest import bring
from tests.jobs import ROOT
from tests.posted import book
from tests.simulated import simulate
from tests.wire import NOON, payload, row
from tipoff.backtest.market import compare_with_market
from tipoff.backtest.report import as_json
from tipoff.backtest.run import Window
from tipoff.cli.backtest import backtest
from tipoff.cli.market import market_tables
from tipoff.errors import InputError
from tipoff.forecast.params import BUILT_IN
from tipoff.storage.pool import Pool

__all__ = ["application_dsn", "dsn", "pool", "server", "template"]
HEAD = "bookmaker,market,start,player_a,player_b,quoted_at,line,over,under\n"


def test_import_says_what_became_of_each_quote(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """Quotes that vanish without a word; a second import that counts them again."""
    bring(pool, payload([row(1, start=NOON, participantAName="ANNA", participantBName="BEN")], NOON))
    path = tmp_path / "prices.csv"
    at = f"{NOON:%Y-%m-%dT%H:%M:%SZ}"
    path.write_text(
        HEAD + f"Book,total,{at},ben,Anna,2026-07-01T11:50:00Z,107.5,-110,-110\n"
        f"Book,total,{at},ben,Nobody,2026-07-01T11:50:00Z,107.5,-110,-110\n"
    )
    environment = {
        **os.environ, "DATABASE_URL": application_dsn, "TIPOFF_HOME": str(tmp_path), "PYTHONPATH": str(ROOT),
        "TIPOFF_OWNER_DATABASE_URL": application_dsn.replace("user=tipoff_app", "user=postgres"),
    }  # fmt: skip

    def odds(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tipoff", "odds", *arguments], env=environment, cwd=tmp_path, check=False,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = odds("import", str(path))
    assert "1 new quotes of 2; 0 were known" in said
    assert "1 name the sides the other way round" in said
    assert "1 wait: no_such_match (nobody like ben against Nobody" in said
    again = json.loads(odds("import", str(path), "--json"))
    assert (again["new"], again["known"], again["waiting"]) == (0, 1, 1)
    [waits] = json.loads(odds("waiting", "--json"))
    assert waits["reason"] == "no_such_match"
    assert "107.5 at 1.90909 / 1.90909: no_such_match" in odds("waiting")


def test_the_tables_hold_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """A difference without its interval, a figure without its n, a stake that is called profit."""
    matches, truth = simulate(6)
    window = Window(dt.date(2026, 3, 2), dt.date(2026, 3, 3), dt.date(2026, 3, 6))
    report = as_json(compare_with_market(BUILT_IN, matches, book(matches, truth), window))
    market_tables(report)
    text = capsys.readouterr().out
    for group in report["groups"]:
        for one in group["compared"]:
            for measure in ("log_loss", "error"):
                for found in one[measure].values():
                    assert _shown(found, 4 if measure == "log_loss" else 3) in text
        assert f"deepest fall {group['stakes']['flat_drawdown']:.1f} units" in text
        assert f"{group['moved']['n']} prices moved" in text or not group["moved"]["n"]
    assert report["caution"] in text
    assert "profit" not in text
    assert "in play" in text
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def _shown(found: dict[str, Any], digits: int) -> str:
    return f"{found['mean']:.{digits}f} ("


def test_prices_are_compared_with_the_filter_alone(tmp_path: Path) -> None:
    """A comparison of a baseline that nobody asked for."""
    with pytest.raises(InputError, match="--odds compares the filter"):
        backtest(
            [tmp_path], fit_until=None, first=None, last=None, lead=2, model=["constant"], odds=tmp_path / "x.csv",
            forecasts=None, json=False, additions="all", groups=False,
        )  # fmt: skip
