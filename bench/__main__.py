"""Run every measurement, write bench/results.json, and put the figures into the README.

python -m bench [NAME...] [FOLDER]: the recorded days lie in FOLDER (default: beside the repository).
"""

from __future__ import annotations

import functools
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.additions import additions
from bench.api import api
from bench.data import RECORDED, WINDOW, real, simulated
from bench.pages import pages
from bench.pipeline import pipeline
from bench.production import production
from bench.queues import queues
from bench.readme import RESULTS, write_figures
from bench.replay import measure
from tipoff.backtest.report import report
from tipoff.backtest.run import run_backtest
from tipoff.domain.match import Match
from tipoff.forecast.baselines import ladder
from tipoff.forecast.gaussian import GaussianFilter


def alone(*arguments: str) -> dict[str, Any]:
    """A measurement in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.alone", *arguments], check=True, capture_output=True, text=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def backtest(matches: list[Match] | None) -> dict[str, Any] | None:
    """The figures on real matches, fitted until 5 July 2026."""
    if matches is None:
        return None
    made = report(run_backtest(matches, WINDOW, [GaussianFilter(), *ladder()]))
    for model in made["models"]:
        del model["bins"], model["groups"]
    return made


def parts(folder: Path) -> dict[str, Callable[[], Any]]:
    """Every measurement by name."""
    recorded = real(folder)
    alone_ones = {name: functools.partial(alone, name) for name in ("fit", "ingest", "sealing", "gate")}
    return {
        "backtest": lambda: backtest(recorded),
        "additions": lambda: additions(folder),
        "replay": lambda: measure(recorded or simulated(13_601)),
        **alone_ones,
        "queues": queues,
        "pipeline": pipeline,
        "api": api,
        "pages": pages,
        "production": production,
        "cost": lambda: [alone("cost", str(count)) for count in (1_000, 10_000, 100_000)],
    }


def main(*words: str) -> None:
    """Measure everything, or the parts named, and write it down with the commit."""
    folders = [Path(word) for word in words if Path(word).is_dir()]
    names = [word for word in words if not Path(word).is_dir()]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    known = parts(folders[-1] if folders else RECORDED)
    if unknown := set(names) - set(known):
        sys.exit(f"there is no measurement {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    results = json.loads(RESULTS.read_text()) if names else {"commits": {}}
    for name in names or known:
        results[name] = known[name]()
        results["commits"][name] = commit
    results["machine"] = {
        "system": platform.platform(), "python": platform.python_version(), "processor": _processor(),
    }  # fmt: skip
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    write_figures()
    print(json.dumps({name: results[name] for name in names or known if name != "backtest"}, indent=1))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main(*sys.argv[1:])
