"""How long work says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""called with the share done (0-1) and a sentence"""


def quiet(_share: float, _message: str) -> None:
    """A Progress that says nothing."""
