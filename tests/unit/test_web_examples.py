"""The examples in the dashboard's docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tipoff.web

MODULES = [found.name for found in pkgutil.walk_packages(tipoff.web.__path__, "tipoff.web.") if not found.ispkg]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    """A docstring that shows what was so once."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    """Modules that are no longer found."""
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) > 20
