"""Commands in processes of their own that need not import everything anew: each is forked from one that has."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tipoff.cli import COMMANDS, GROUPS, main

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["pytest", __name__, *sorted({f"tipoff.cli.{module}" for module in (COMMANDS | GROUPS).values()})]
)


def forked(arguments: tuple[str, ...], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `tipoff` with these arguments to its end, as `subprocess.run` would."""
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name, "out"), Path(name, "err")
        process = FORKS.Process(target=_command, args=(arguments, dict(environment), str(out), str(err)))
        process.start()
        process.join(300)
        assert process.exitcode is not None, f"{arguments} takes too long"
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read_text(), err.read_text())


def _command(arguments: tuple[str, ...], environment: dict[str, str], out: str, err: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["tipoff", *arguments]
    main()
