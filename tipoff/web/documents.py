"""JSON that somebody else wrote, as text of bounded length."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

MOST = 12_000
"""characters of a document that a page shows"""


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """The text, and how many characters of it were left out."""

    text: str
    left_out: int = 0


def pretty(value: Any, most: int = MOST) -> Document:
    """Indented JSON, at most so long.

    >>> pretty({"a": [1]}).text, pretty("a" * 10, most=4)
    ('{\\n  "a": [\\n    1\\n  ]\\n}', Document(text='"aaa', left_out=8))
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return Document(text[:most], max(0, len(text) - most))
