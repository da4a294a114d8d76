"""What pages tell people to type is typed here, and answers as they say."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.jobs import ROOT
from tests.snippets import WHOLE, Snippet, answers, fits, lines_of_code, snippets
from tipoff.cli import COMMANDS, GROUPS, commands

PAGES = {path.name: path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
RUN = {"console", "bash", "sh", "python", "javascript"}
TYPED = re.compile(r"^(?:\w+=\S+ )*(?:\.venv/bin/|python -m )?tipoff (.*)")


def by_page() -> Iterator[tuple[str, Snippet]]:
    """Every block that somebody might type, of pages whose blocks no other test runs."""
    for name, page in PAGES.items():
        if not WHOLE.search(page):
            yield from ((name, snippet) for snippet in snippets(page) if snippet.language in RUN)


def test_every_snippet_is_run_or_says_why_not() -> None:
    """An example that nobody ever tried."""
    for name, snippet in by_page():
        why, _, reason = snippet.said.partition(":")
        typed_here = name == "tutorial.md" and snippet.language == "console" and why in ("", "fails")
        assert typed_here or (why == "not run" and len(reason) > 10), (name, snippet.code)
    for page in PAGES.values():
        for path in WHOLE.findall(page):
            assert (ROOT / path).exists(), path


@pytest.fixture
def shell() -> Iterator[tuple[Path, dict[str, str]]]:
    """An empty folder that has the repository's docs, and an environment that has `tipoff`."""
    with tempfile.TemporaryDirectory(prefix="tipoff-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "docs").symlink_to(ROOT / "docs")
        programs = folder / "bin"
        programs.mkdir()
        for program, words in {"python": "", "tipoff": " -m tipoff"}.items():
            path = programs / program
            path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{words} "$@"\n')
            path.chmod(0o755)
        hidden = {"DATABASE_URL", "RENDER", "SUPABASE_URL", "OPERATOR_API_KEY", "PYTHONPATH"}
        kept = {key: value for key, value in os.environ.items() if key not in hidden}
        path = f"{programs}:{os.environ['PATH']}"
        yield folder, {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "160", "TIPOFF_HOME": str(folder)}


def test_the_tutorial(shell: tuple[Path, dict[str, str]]) -> None:
    """A first page that leads nowhere; a command that now says something else."""
    shown = [one for one in snippets(PAGES["tutorial.md"]) if not one.said.startswith("not run")]
    steps = [(command, printed, one.said) for one in shown for command, printed in one.steps]
    assert len(steps) >= 10
    done = answers([command for command, _, _ in steps], *shell)
    for (command, expected, said), (code, printed) in zip(steps, done, strict=True):
        assert fits(expected, printed), (command, printed)
        assert code == 0 or said.startswith("fails"), (command, printed)
    assert {code for (*_, said), (code, _) in zip(steps, done, strict=True) if said.startswith("fails")} == {0, 1}


def typed() -> Iterator[tuple[str, str]]:
    """(page, arguments) of each command of ours in a block of code; some lines have two."""
    for name, page in PAGES.items():
        for line in lines_of_code(page):
            for part in re.split(r"\s{3,}", re.sub(r"\s+# .*", "", line)):
                if found := TYPED.match(part):
                    yield name, re.split(r"\s[|>&]", found[1])[0]


@pytest.mark.parametrize(("page", "words"), sorted(set(typed())))
def test_a_command_of_a_page_is_one(page: str, words: str) -> None:
    """An option that was renamed, a command that is gone."""
    rest = shlex.split(words)
    assert rest[0] in {**COMMANDS, **GROUPS}, page
    command: Any = typer.main.get_command(commands(rest[0]))
    while hasattr(command, "commands"):
        name, *rest = rest
        command = command.commands[name]
    command.make_context(words, rest)


@pytest.mark.parametrize(
    ("expected", "printed", "fit"),
    [
        (["a 1", "...", "b"], ["a 22", "x", "b"], True),
        (["a", "...", "b"], ["a", "b"], True),
        (["a", "...", "b"], ["a", "x", "b", "y"], False),
        (["a", "b"], ["a", "x", "b"], False),
        (["a", "..."], ["a", "x", "y"], True),
        (["...", "c"], ["a", "c"], True),
        ([], ["a"], False),
        (["a"], [], False),
        (["the row 5"], ["the row 6, and more"], True),
        (["row 2 is broken: its hash is wrong"], ["row 2 is broken: its number is wrong"], False),
    ],
)
def test_the_comparison_compares(expected: list[str], printed: list[str], fit: bool) -> None:
    """A comparison that everything passes."""
    assert fits(expected, printed) is fit
