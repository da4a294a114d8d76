"""The commands as people type them, each a real process."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from tests.forking import forked
from tests.secrets import PASSWORD, SECRETS, shown
from tests.simulated import BEGIN
from tipoff.cli.backtest import read_folders
from tipoff.league import schedule
from tipoff.league.simulator import League
from tipoff.storage.embedded import PrivatePostgres

DAY = dt.timedelta(days=1)
LEARNED = 16
"""recorded days that a demo learns"""


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a command sees: a home of its own, no settings of this machine."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "NUMBA_CACHE_DIR", "LANG", "PYTHONPATH")}
    return {**kept, "TIPOFF_HOME": str(home), **more}


def tipoff(home: Path, *arguments: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "tipoff", *arguments], check=False, capture_output=True, text=True, timeout=300,
        env=environment(home, **more),
    )  # fmt: skip
    if check:
        assert done.returncode == 0, done.stderr
    return done


def quick(home: Path, *arguments: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    """The same without the second that each start takes."""
    done = forked(arguments, environment(home, **more))
    if check:
        assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def home() -> Iterator[Path]:
    """A home whose private Postgres is stopped and deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="tipoff-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
        for folder in [path, *path.glob("demo-*")]:
            PrivatePostgres(folder).reset()


def record(folder: Path, days: int) -> Path:
    """Recorded days of the simulated league, as its server would have sent them later."""
    folder.mkdir()
    league = League()
    for i in range(days):
        begin = BEGIN + i * DAY
        later = BEGIN + 50 * DAY
        (folder / f"{begin.date()}.json").write_text(json.dumps(schedule.day_view(league, begin, later)))
    return folder


def lines(path: Path) -> dict[str, dict[str, Any]]:
    """Forecast lines by external id."""
    return {row["external_id"]: row for row in map(json.loads, path.read_text().splitlines())}


def test_truncated_files_give_equal_forecasts(tmp_path: Path, home: Path) -> None:
    """A leak anywhere between the files and the forecasts."""
    whole = record(tmp_path / "whole", 9)
    window = ("--fit-until", str((BEGIN + 2 * DAY).date()), "--from", str((BEGIN + 3 * DAY).date()))
    tipoff(home, "backtest", str(whole), *window, "--model", "filter", "--forecasts", str(tmp_path / "whole.jsonl"))
    reference = lines(tmp_path / "whole.jsonl")
    assert len(reference) > 1500
    for cut in (4, 6, 8):
        part = tmp_path / f"until-{cut}"
        part.mkdir()
        moment = (BEGIN + cut * DAY + dt.timedelta(hours=11)).isoformat().replace("+00:00", "Z")
        for path in whole.glob("*.json"):
            rows = [r for r in json.loads(path.read_text()) if r["startDate"] < moment]
            (part / path.name).write_text(json.dumps(rows))
        out = tmp_path / f"{cut}.jsonl"
        tipoff(home, "backtest", str(part), *window, "--model", "filter", "--forecasts", str(out))
        made = lines(out)
        assert len(made) > 200
        assert made == {key: row for key, row in reference.items() if row["start"] < moment}


def test_a_leak_makes_the_backtest_fail(tmp_path: Path, home: Path) -> None:
    """70 % accuracy reported with pride."""
    folder = record(tmp_path / "days", 16)
    for path in folder.glob("*.json"):
        rows = json.loads(path.read_text())
        for row in rows:
            if row["teamAScore"] is not None:
                strong = row["participantAName"] < row["participantBName"]
                row["teamAScore"], row["teamBScore"] = (70, 40) if strong else (40, 70)
        path.write_text(json.dumps(rows))
    done = tipoff(home, "backtest", str(folder), "--model", "filter", check=False)
    assert done.returncode == 1
    assert "this looks like a leak" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("backtest", "/nowhere"), "not a folder of recorded days"),
        (("backtest", ".", "--model", "magic"), "no model 'magic'"),
        (("backtest", ".", "--from", "soon"), "not a date"),
        (("predict", "--at", "noon"), "not a time"),
    ],
)
def test_bad_input_gets_one_clear_sentence(home: Path, arguments: tuple[str, ...], message: str) -> None:
    """A traceback for a typing error."""
    if arguments[0] == "backtest" and arguments[1] == ".":
        arguments = ("backtest", str(record(home / "days", 3)), *arguments[2:])
    done = tipoff(home, *arguments, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_no_private_database_where_its_disk_would_vanish(home: Path) -> None:
    """A ledger on a disk that is thrown away."""
    done = tipoff(home, "db", "up", check=False, RENDER="true")
    assert done.returncode == 2
    assert "DATABASE_URL is not set" in done.stderr


def test_the_demo_twice(home: Path) -> None:
    """A demo that needs anything, hides that it is simulated, or begins anew each time."""
    secret = {**SECRETS, "DATABASE_URL": f"postgresql://me:{quote(PASSWORD, safe='')}@host/name"}
    made = tipoff(home, "demo", "--days", "12", "--json", **secret)
    first = json.loads(made.stdout)
    assert first["banner"].startswith("SIMULATED")
    assert len(first["predictions"]) >= 5
    assert all(0 < p["p_a"] < 1 and p["total_low_80"] < p["total_mean"] for p in first["predictions"])
    names = [model["name"] for model in first["measured"]["models"]]
    assert names == ["filter", "constant", "Elo", "Elo with margin", "Bradley-Terry with teams"]
    assert first["record"]["clock"] == "replay"
    assert first["record"]["by_horizon"]["2"]["n"] > 600
    assert all(c["sealed"] == c["played"] and not c["missing"] for c in first["record"]["coverage"])
    assert first["ledger"]["broken"] is None
    second = tipoff(home, "demo", "--days", "12", "--no-serve", **secret)
    with psycopg.connect(PrivatePostgres(home / "demo-league-7").dsn) as connection:
        ran = connection.execute(
            "select j.id, j::text, array(select l::text from job_logs l where l.job_id = j.id) from job_queue j"
        ).fetchall()
    kept = quick(home / "demo-league-7", "jobs", "list", "--limit", "1000", "--json").stdout
    kept += quick(home / "demo-league-7", "jobs", "show", str(ran[0][0]), "--json").stdout
    [model] = json.loads(quick(home / "demo-league-7", "models", "list", "--json").stdout)
    assert len(ran) > 4
    assert shown("".join([made.stdout, made.stderr, second.stdout, second.stderr, kept, str(ran)])) == []
    assert "SIMULATED" in second.stdout
    assert "Bradley-Terry" in second.stdout
    assert "REPLAY" in second.stdout
    assert "Ledger verified" in second.stdout
    assert model["sha256"] == first["model"]
    assert float(second.stdout.partition("Done in ")[2].split()[0]) < 30


def test_the_live_commands_on_the_built_in_league(home: Path) -> None:
    """Commands that work in the demo alone; up that does not stop when told."""
    league = {"TIPOFF_SOURCE": "league"}
    missing = tipoff(home, "predict", check=False, **league)
    assert "run tipoff fetch, then tipoff train" in missing.stderr
    fetched = json.loads(tipoff(home, "fetch", "--days", "12", "--json", **league).stdout)
    assert fetched["ingest"]["new"] > 2500
    trained = json.loads(tipoff(home, "train", "--json", **league).stdout)
    assert len(trained["model"]) == 64
    assert trained["activated"]
    predicted = json.loads(tipoff(home, "predict", "--json", **league).stdout)
    assert len(predicted) >= 5
    pretended = tipoff(home, "predict", "--at", "2026-03-01T00:00:00Z", **league)
    assert "nothing was sealed" in pretended.stderr
    explained(home, predicted, league)
    status = json.loads(tipoff(home, "db", "status", "--json", **league).stdout)
    assert status["rows"]["matches"] > 2500
    running = subprocess.Popen(
        [sys.executable, "-m", "tipoff", "up", "--days", "4", "--port", "0"], stdout=subprocess.PIPE,
        text=True, env=environment(home, **league), bufsize=1,
    )  # fmt: skip
    with running:
        assert running.stdout is not None
        events = map(json.loads, running.stdout)
        url = next(e["event"] for e in events if e["event"].startswith("dashboard at")).split()[2].rstrip(",")
        said = next(e["event"] for e in events if "fixtures forecast" in e["event"])
        key = (home / "api-key").read_text().strip()
        jobs = httpx.get(f"{url}/api/jobs", headers={"X-API-Key": key}).json()
        assert jobs["totals"]["completed"] >= 1
        assert httpx.post(f"{url}/api/data/quick-refresh").status_code == 401
        refreshed = httpx.post(f"{url}/api/data/quick-refresh", headers={"X-API-Key": key}, timeout=20)
        assert refreshed.status_code in (202, 409)
        running.send_signal(signal.SIGTERM)
        rest, _ = running.communicate(timeout=60)
    assert "fixtures forecast" in said
    assert "forecasts sealed" in said
    assert "stopped cleanly" in rest
    assert key not in rest
    assert running.returncode == 0
    recorded(home, league)
    assert "stopped" in tipoff(home, "db", "down", **league).stdout


def explained(home: Path, predicted: list[dict[str, Any]], league: dict[str, str]) -> None:
    """The commands that say why, and what else."""
    p = predicted[-1]
    why = json.loads(quick(home, "why", p["external_id"], "--json", **league).stdout)
    assert sum(part["margin"] for part in why["why"]["parts"]) == pytest.approx(p["margin_mean"], abs=0.2)
    names = (p["player_a"].lower(), p["player_b"])
    posted = ("--market", "total", "--line", "107.5", "--over", "-110", "--under", "10/11")
    what_if = json.loads(quick(home, "what-if", *names, "--team-a", p["team_a"], *posted, "--json", **league).stdout)
    assert what_if["fixture"]["player_a"] == p["player_a"]
    assert what_if["posted"]["over"]["price"] == pytest.approx(1.909, abs=1e-3)
    assert "stake" in quick(home, "what-if", *names, *posted, **league).stdout
    missing = quick(home, "what-if", "NOBODY AT ALL", p["player_b"], check=False, **league)
    assert missing.returncode == 1
    assert "no player 'NOBODY AT ALL'" in missing.stderr
    board = json.loads(quick(home, "ratings", "--json", **league).stdout)
    assert board[0]["group"] == 1
    assert board[0]["low"] < board[0]["strength"] < board[0]["high"]
    assert "Within a group" in quick(home, "teams", **league).stdout
    met = json.loads(quick(home, "h2h", *names, "--json", **league).stdout)
    assert met["wins_a"] <= met["matches"]
    quick(home, "ratings", p["player_a"], **league)


def recorded(home: Path, league: dict[str, str]) -> None:
    """The commands of the record, on what `up` and `predict` sealed."""
    made = json.loads(quick(home, "record", "--json", **league).stdout)
    assert made["clock"] == "database"
    assert "Record since" in quick(home, "record", "--by", "month", **league).stdout
    published = quick(home, "ledger", "publish", **league).stdout
    assert "head" in published
    heads = home / "ledger-heads.jsonl"
    verified = json.loads(quick(home, "ledger", "verify", "--head", str(heads), "--json", **league).stdout)
    assert verified["broken"] is None
    assert verified["rows"] >= 2
    assert verified["heads_compared"] >= 1
    assert verified["notes"] == []
    export = home / "ledger.jsonl"
    quick(home, "ledger", "export", str(export), **league)
    assert "verified" in quick(home, "ledger", "verify", "--from-export", str(export), **league).stdout
    lines = export.read_text().splitlines(keepends=True)
    export.write_text("".join(lines[:-1]))
    cut = quick(home, "ledger", "verify", "--from-export", str(export), "--head", str(heads), check=False, **league)
    assert cut.returncode == 1
    assert f"row {len(lines)} is broken: it is missing" in cut.stderr
    [model] = json.loads(quick(home, "models", "list", "--json", **league).stdout)
    assert model["active"]
    shown = json.loads(quick(home, "models", "show", "active", "--json", **league).stdout)
    assert shown["files"] == "verified"
    assert len(shown["importance"]) == 9
    assert "parameters" in quick(home, "models", "compare", "1", **league).stdout
    assert "forecasts now" in quick(home, "models", "activate", "1", **league).stdout
    assert "0 models pruned" in quick(home, "models", "prune", **league).stdout
    assert "grades added" in quick(home, "ledger", "grade", **league).stdout


@pytest.mark.recorded
def test_the_figures_on_real_matches(recorded_nba: Path, home: Path) -> None:
    """Claims that the recorded real matches do not bear out."""
    done = tipoff(
        home, "backtest", str(recorded_nba), "--fit-until", "2026-07-05", "--from", "2026-07-06", "--json"
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert report["matches"] == 7840
    ours, *others = report["models"]
    mean = {name: estimate["mean"] for name, estimate in ours["measures"].items()}
    assert mean["log_loss"] <= 0.6485
    assert mean["hit"] >= 0.615
    assert mean["total_error"] <= 9.22
    assert mean["margin_error"] <= 7.25
    assert ours["ece"] <= 0.02
    assert 0.78 <= mean["margin_inside"] <= 0.82
    assert 0.78 <= mean["total_inside"] <= 0.82
    assert len(others) == 4
    assert all(model["difference"]["high"] < 0 for model in others)


@pytest.mark.recorded
def test_the_demo_on_recorded_matches(recorded_nba: Path, home: Path) -> None:
    """Real rows that the live path cannot read; `make chaos` has it learn all of them, CI the newest."""
    every = sorted(recorded_nba.glob("*.json"))
    kept = every if "TIPOFF_CHAOS" in os.environ else every[-LEARNED:]
    folder = home / "days"
    folder.mkdir()
    for path in kept:
        (folder / path.name).symlink_to(path)
    matches, refused = read_folders([recorded_nba])
    assert len(matches) > 13_500
    assert refused == 0
    answer = json.loads(tipoff(home, "demo", "--recorded", str(folder), "--json").stdout)
    assert answer["results"] > 230 * len(kept)
    assert answer["predictions"]
