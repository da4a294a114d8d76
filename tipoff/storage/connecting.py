"""Connections whose failed attempts are closed at once.

psycopg keeps the socket of an attempt that timed out until the garbage collector finds it: the error and the frame
that made it hold each other. A server that froze answers all of them when it wakes, and connections that nobody uses
then fill its places, or those of a pooler.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from typing import Any, Self

import psycopg

Row = tuple[Any, ...]


class Connection(psycopg.Connection[Row]):
    """As psycopg's, but for what is above."""

    @classmethod
    def connect(cls, conninfo: str = "", **how: Any) -> Self:
        """Raises psycopg.OperationalError when nobody answers in time."""
        with _letting_go():
            return super().connect(conninfo, **how)


class AsyncConnection(psycopg.AsyncConnection[Row]):
    """As psycopg's, but for what is above."""

    @classmethod
    async def connect(cls, conninfo: str = "", **how: Any) -> Self:
        """Raises psycopg.OperationalError when nobody answers in time."""
        with _letting_go():
            return await super().connect(conninfo, **how)


@contextlib.contextmanager
def _letting_go() -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        known: set[int] = set()
        behind: BaseException | None = error
        while behind is not None and id(behind) not in known:
            known.add(id(behind))
            traceback.clear_frames(behind.__traceback__)
            behind = behind.__context__
        raise
