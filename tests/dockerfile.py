"""A Dockerfile and a .dockerignore, read as the engine reads them (as much of it as ours use)."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

WORD = re.compile(r"""(\w+)=("[^"]*"|\S+)""")


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """What follows a FROM: its base, its name and its instructions."""

    base: str
    name: str
    steps: tuple[tuple[str, str], ...]

    def all(self, instruction: str) -> list[str]:
        """The arguments of each such instruction."""
        return [value for name, value in self.steps if name == instruction]

    def one(self, instruction: str) -> str:
        """Of an instruction that occurs once."""
        [value] = self.all(instruction)
        return value

    @property
    def environment(self) -> dict[str, str]:
        """Its ENV, with `$PATH` as in the base image."""
        path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        found = {name: value.strip('"') for line in self.all("ENV") for name, value in WORD.findall(line)}
        return {"PATH": path} | {name: value.replace("$PATH", path) for name, value in found.items()}

    @property
    def health(self) -> list[str]:
        """The command of its HEALTHCHECK."""
        words: list[str] = json.loads(self.one("HEALTHCHECK").partition("CMD ")[2])
        return words


def stages(path: Path) -> list[Stage]:
    """The stages of a Dockerfile, in order."""
    text = re.sub(r"(?m)^\s*#.*\n", "", path.read_text())
    lines = [line.split(maxsplit=1) for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    made: list[Stage] = []
    for name, value in lines:
        if name == "FROM":
            base, _, called = value.partition(" AS ")
            made.append(Stage(base, called, ()))
        else:
            made[-1] = dataclasses.replace(made[-1], steps=(*made[-1].steps, (name, value)))
    return made


def copied(value: str) -> tuple[dict[str, str], list[str], str]:
    """(options, sources, destination) of a COPY."""
    words = shlex.split(value)
    options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
    *sources, destination = [word for word in words if not word.startswith("--")]
    return options, sources, destination


def context(root: Path) -> Iterator[str]:
    """Relative paths of what .dockerignore lets into the build: of rules that fit, the last one counts."""
    rules = [line for line in (root / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    for folder, folders, files in os.walk(root):
        relative = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if not _ignored(relative / name, rules)]
        yield from (str(relative / name) for name in files if not _ignored(relative / name, rules))


def _ignored(path: Path, rules: list[str]) -> bool:
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        fits = any(
            fnmatch.fnmatchcase(one.name, pattern[3:]) if pattern.startswith("**/") else
            len(one.parts) == 1 and fnmatch.fnmatchcase(one.name, pattern)
            for one in (path, *path.parents[:-1])
        )  # fmt: skip
        ignored = not rule.startswith("!") if fits else ignored
    return ignored
