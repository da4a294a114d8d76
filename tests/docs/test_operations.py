"""The table of what still works while a part is gone, slow or flapping: each cell is a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
PARTS = ("upstream", "database", "artifact store", "alert channel", "workers")
HOW = ("gone", "slow", "flapping")
CELL = re.compile(r"^- ([a-z ]+), (gone|slow|flapping): (`.+`)$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def named() -> dict[tuple[str, str], list[tuple[str, str]]]:
    """The tests of each cell, as (file, name)."""
    return {(part, how): TEST.findall(tests) for part, how, tests in CELL.findall(PAGE)}


def defined(path: str) -> set[str]:
    """Names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_the_table_is_whole() -> None:
    """A cell that says nothing."""
    rows = {cells[0].strip().split(" (")[0]: cells[1:] for cells in _rows(PAGE)}
    assert set(PARTS) <= set(rows)
    assert all(len(rows[part]) == len(HOW) and all(cell.strip() for cell in rows[part]) for part in PARTS)


def _rows(page: str) -> list[list[str]]:
    return [line.strip().strip("|").split("|") for line in page.splitlines() if line.startswith("| ")]


def test_each_cell_names_tests_that_exist() -> None:
    """A promise that nobody keeps."""
    cells = named()
    assert set(cells) == {(part, how) for part in PARTS for how in HOW}
    for cell, tests in cells.items():
        assert tests, cell
        for path, name in tests:
            assert name in defined(path), (cell, path, name)


def test_each_test_of_degradation_is_in_a_cell() -> None:
    """A test that shows something nobody is told of."""
    path = "tests/chaos/test_degradation.py"
    told = {name for tests in named().values() for file, name in tests if file == path}
    assert told == defined(path)
