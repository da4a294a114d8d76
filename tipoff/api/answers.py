"""How endpoints answer: reads with an ETag, kept while fresh; writes in one transaction, once per Idempotency-Key."""

from __future__ import annotations

import csv
import functools
import io
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fastapi import Request
from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from starlette.responses import Response, StreamingResponse

from tipoff.api import cursors
from tipoff.api.access import Principal
from tipoff.api.cache import Kept, etag_of, is_same
from tipoff.api.problems import ProblemError
from tipoff.api.routing import backend_of
from tipoff.storage import keys
from tipoff.storage.pool import Connection

JSON = "application/json"
IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")
DANGEROUS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""how a spreadsheet's formula begins"""
PUBLIC, PRIVATE = "public, max-age={0:d}, stale-while-revalidate=30", "private, no-store"
CLOSED = "private, no-cache"
"""where reading needs a key: no proxy may keep it for others, and a browser asks whether its own still counts"""
Headers = Mapping[str, str]
Page = Callable[[Connection, Any], tuple[Sequence[BaseModel], Any]]


def read(
    request: Request, topics: Sequence[str], question: Callable[[Connection], BaseModel | tuple[BaseModel, Headers]],
    *, seconds: float = 5.0, private: bool = False,
) -> Response:  # fmt: skip
    """Ask the database, answer with an ETag; kept for `seconds` unless one of `topics` changes, or it is private."""
    backend = backend_of(request)
    marks, begun = backend.cache.marked(topics), time.monotonic()
    found = backend.ask(question)
    model, more = found if isinstance(found, tuple) else (found, {})
    body = model.model_dump_json().encode()
    etag = etag_of(body)
    shared = PUBLIC.format(int(seconds)) if backend.settings.open_reads else CLOSED
    control = PRIVATE if private else shared
    headers = {"ETag": etag.decode(), "Cache-Control": control, "Vary": "Accept, Accept-Encoding", **more}
    answer = Response(body, headers=headers, media_type=JSON)
    if not private:
        kept = Kept(body, tuple(answer.raw_headers), etag, begun, seconds, marks)
        backend.cache.keep(request.scope["address"], kept)
    if is_same(etag, request.headers.get("if-none-match", "").encode("latin-1") or None):
        return Response(status_code=304, headers={k: v for k, v in headers.items() if k != "Link"})
    return answer


def write(
    request: Request, topic: str | None, action: Callable[[Connection], tuple[int, BaseModel, Headers]],
    kept_as: Callable[[BaseModel], BaseModel] = lambda answer: answer,
) -> Response:  # fmt: skip
    """Act and answer in one transaction; with an Idempotency-Key the first answer is repeated for a day.

    Only what succeeded is kept: a request that was refused changed nothing and may be sent again. `kept_as` takes
    out of an answer what must not be stored.
    """
    backend = backend_of(request)
    key = _idempotency_key(request)
    principal: Principal = request.scope["principal"]
    with backend.connection() as connection:
        if key is not None:
            before = keys.reserve(connection, principal.id, key, request.state.sha256)
            if before is not None and before.request_sha256 != request.state.sha256:
                raise ProblemError(
                    422, "this Idempotency-Key was used for another request: take a new one",
                    [("Idempotency-Key", "used for another request")],
                )  # fmt: skip
            if before is not None:
                return _answer(before.status, before.body, {**before.headers, "Idempotency-Replayed": "true"})
        status, model, headers = action(connection)
        if key is not None:
            stored = kept_as(model).model_dump_json().encode()
            keys.keep(connection, principal.id, key, status, headers, stored)
    if topic is not None:
        backend.cache.changed(topic)
    return _answer(status, model.model_dump_json().encode(), headers)


def _answer(status: int, body: bytes, headers: Headers) -> Response:
    return Response(body, status, {"Cache-Control": PRIVATE, **headers}, JSON)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        said = "from 1 to 255 letters, digits and signs of ASCII, without spaces"
        raise ProblemError(422, f"Idempotency-Key: {said}", [("Idempotency-Key", said)])
    return key


def wants_csv(request: Request, form: str | None) -> bool:
    """Whether a list is asked for as CSV, by `format=csv` or by Accept."""
    return form == "csv" or (form is None and "text/csv" in request.headers.get("accept", ""))


def page_link(request: Request, cursor: str | None) -> Headers:
    """The Link header to the next page."""
    path = request.scope["raw_path"].decode("ascii", "replace")
    return cursors.link(path, list(request.query_params.multi_items()), cursor)


def listed(
    request: Request, form: str | None, row: type[BaseModel], page: Page, place: Any, topics: Sequence[str],
    made: Callable[[Connection, Any, str | None], BaseModel], *, seconds: float = 5.0, private: bool = False,
) -> Response:  # fmt: skip
    """A keyset page from `place` on, with a link to the next; or, as CSV, every row from there on.

    `page` gives rows and the place to go on from (None: no more); `made` the answer from rows and the next cursor.
    """
    if wants_csv(request, form):
        return stream_csv(request, row, lambda connection, after: page(connection, after or place))

    def question(connection: Connection) -> tuple[BaseModel, Headers]:
        items, after = page(connection, place)
        next_cursor = cursors.written(*after) if after else None
        return made(connection, items, next_cursor), page_link(request, next_cursor)

    return read(request, topics, question, seconds=seconds, private=private)


def stream_csv(request: Request, columns: type[BaseModel], page: Page) -> Response:
    """Every row as CSV, a page of rows at a time; `page` takes the place to go on from and gives the next one."""
    backend = backend_of(request)
    names = list(columns.model_fields)
    rows, place = backend.ask(lambda connection: page(connection, None))

    def lines() -> Iterator[str]:
        nonlocal rows, place
        yield _csv([names])
        yield _csv([_row(row, names) for row in rows])
        while place is not None:
            rows, place = backend.ask(functools.partial(_swapped, page, place))
            yield _csv([_row(row, names) for row in rows])

    name = request.scope["path"].rstrip("/").rpartition("/")[2]
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": PRIVATE}
    return StreamingResponse(lines(), headers=headers, media_type="text/csv; charset=utf-8")


def _swapped(page: Page, place: Any, connection: Connection) -> tuple[Sequence[BaseModel], Any]:
    return page(connection, place)


def _row(row: BaseModel, names: Sequence[str]) -> list[Any]:
    values = to_jsonable_python(row)
    return [_cell(values[name]) for name in names]


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, dict | list):
        value = str(value)
    return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(DANGEROUS) else value


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
