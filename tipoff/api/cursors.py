"""Keyset pages: an opaque cursor that says after which row to go on."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import uuid
from typing import Any
from urllib.parse import urlencode

from tipoff.api.problems import ProblemError

MOST, LONGEST = 200, 2000
FORM = "^[A-Za-z0-9_-]+$"


def written(*values: Any) -> str:
    """A cursor from the key of the last row shown."""
    texts = [value.isoformat() if isinstance(value, dt.date) else value for value in values]
    text = json.dumps([str(v) if isinstance(v, uuid.UUID) else v for v in texts], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The key in a cursor, as values of `kinds`; raises ProblemError (422) where it is not one of ours."""
    if cursor is None:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return tuple(_read(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        said = "this is not a cursor that an earlier page gave: begin without one"
        raise ProblemError(422, f"cursor: {said}", [("cursor", said)]) from error


def _read(value: Any, kind: type) -> Any:
    if kind is float and type(value) is float:
        return value
    if kind is not int and not isinstance(value, str):
        raise ValueError(value)
    if kind is dt.datetime:
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(value)
        return moment.astimezone(dt.UTC)
    if kind is dt.date:
        return dt.date.fromisoformat(value)
    if kind is uuid.UUID:
        return uuid.UUID(value)
    good = 0 <= value < 2**62 if kind is int and type(value) is int else kind is str and "\0" not in value
    if not good or type(value) is not kind:
        raise ValueError(value)
    return value


def link(path: str, query: list[tuple[str, str]], cursor: str | None) -> dict[str, str]:
    """The Link header of a page that is not the last."""
    if cursor is None:
        return {}
    rest = [(name, value) for name, value in query if name != "cursor"]
    return {"Link": f'<{path}?{urlencode([*rest, ("cursor", cursor)])}>; rel="next"'}
