"""Where the whole runs write what they measured, with the commit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "bench" / "chaos.json"
WHOLE = bool(os.environ.get("TIPOFF_CHAOS"))
"""set by `make chaos`"""


def size(small: int, whole: int) -> int:
    """How much of it."""
    return whole if WHOLE else small


def keep(name: str, measured: dict[str, Any]) -> None:
    """Write down what a whole run measured."""
    if not WHOLE:
        return
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", f":(top,exclude)bench/{FILE.name}")
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    FILE.write_text(
        json.dumps(
            {**known, name: {"commit": commit + (" with changes" if changed else ""), **measured}},
            indent=1,
            sort_keys=True,
        )
        + "\n"
    )


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, cwd=FILE.parent)
    return done.stdout.strip()


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
