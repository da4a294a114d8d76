"""What a page is: where, who may see it, and what answers it."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.access import Scope

Answer = Callable[[Request], Awaitable[Response]]


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """`scope` is what a key needs; None: everybody, always (signing in, help)."""

    path: str
    answer: Answer
    scope: Scope | None = Scope.READ
    method: str = "GET"

    @property
    def reads(self) -> bool:
        """Whether everybody may see it where everybody may read."""
        return self.scope is Scope.READ
