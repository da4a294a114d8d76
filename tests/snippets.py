"""Code in pages of the documentation: where it is, what a page says of it, and what a shell answers to it."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

FENCE = re.compile(r"(?ms)^(?:<!-- (?P<said>[^>]*) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$")
WHOLE = re.compile(r"<!-- snippets are run by (tests/[\w/]+\.py) -->")
MARK = "@@ that was"


@dataclasses.dataclass(frozen=True, slots=True)
class Snippet:
    """A fenced block, and the comment right above it."""

    language: str
    code: str
    said: str

    @property
    def steps(self) -> list[tuple[str, list[str]]]:
        """(command, lines it prints) of a session in a console."""
        made: list[tuple[str, list[str]]] = []
        for line in self.code.splitlines():
            if line.startswith("$ "):
                made.append((line[2:], []))
            else:
                made[-1][1].append(line)
        return made


def snippets(page: str) -> list[Snippet]:
    """All of a page."""
    return [Snippet(m["language"], m["code"], m["said"] or "") for m in FENCE.finditer(page)]


def lines_of_code(page: str) -> Iterator[str]:
    """Lines of fenced and of indented blocks."""
    for snippet in snippets(page):
        yield from (line.removeprefix("$ ") for line in snippet.code.splitlines())
    yield from re.findall(r"(?m)^ {4}(\S.*)$", FENCE.sub("", page))


def answers(commands: list[str], folder: Path, environment: Mapping[str, str]) -> list[tuple[int, list[str]]]:
    """(exit code, lines) of each command, all of them in one shell."""
    script = "".join(f"{{ {command}\n}} 2>&1\necho {shlex.quote(MARK)} $?\n" for command in commands)
    done = subprocess.run(
        ["bash", "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env=dict(environment),
        timeout=300,
    )
    found, lines = [], list[str]()
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            found.append((int(line.rpartition(" ")[2]), lines))
            lines = []
        else:
            lines.append(line.rstrip())
    return found


def shape(line: str) -> str:
    """A line without what differs from run to run: hashes, numbers, days of the week, players.

    >>> shape("Thu 03:39 UTC: PLUM QUAIL 43.4%, head 3142 fd452852b94e"), shape("-0.05 against 12")
    ('DAY 0 UTC: NAME 0%, head 0 HASH', '0 against 0')
    """
    line = re.sub(r"\b(?=[a-z]*\d)[0-9a-f]{12,}\b", "HASH", line)
    line = re.sub(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b", "DAY", line)
    line = re.sub(r"-?\d[\d.:,]*\d|\d", "0", line)
    return re.sub(r"\b[A-Z]{4,} [A-Z]{3,}\b", "NAME", line)


def fits(expected: list[str], printed: list[str]) -> bool:
    """Whether what was printed has the shape that a page shows: `...` stands for any lines; a line may go on."""
    parts: list[list[str]] = [[]]
    for line in expected:
        if line == "...":
            parts.append([])
        else:
            parts[-1].append(shape(line))
    made, at = [shape(line) for line in printed], 0
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        starts = [0] if number == 0 else [len(made) - len(part)] if last and part else range(at, len(made) + 1)
        at = next((one + len(part) for one in starts if one >= at and _begins(part, made[one:])), -1)
        if at < 0:
            return False
    return at == len(made) or expected[-1:] == ["..."]


def _begins(part: list[str], lines: list[str]) -> bool:
    return len(lines) >= len(part) and all(a.startswith(b) for a, b in zip(lines, part, strict=False))
