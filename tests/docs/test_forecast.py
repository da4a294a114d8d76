"""docs/forecast.md is about the model that there is, with the figures that were measured."""

from __future__ import annotations

import json
import re

from bench.forecast import worth
from bench.readme import BEGIN, END, FORECAST, RESULTS
from tipoff.forecast.additions import ADDITIONS

PAGE = FORECAST.read_text()


def test_the_figures_are_those_of_the_benchmark() -> None:
    """A figure typed by hand."""
    found = json.loads(RESULTS.read_text())["additions"]
    assert PAGE.partition(BEGIN)[2].partition(END)[0].strip() == worth(found).strip()


def test_each_addition_is_explained_and_measured() -> None:
    """An addition that came or went without the page."""
    before, _, figures = PAGE.partition(BEGIN)
    assert re.findall(r"(?m)^\| `([\w-]+)` \|", before) == list(ADDITIONS)
    for name in ADDITIONS:
        assert f"| + {name} |" in figures, name
