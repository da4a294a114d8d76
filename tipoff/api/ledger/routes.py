"""`/api/ledger` and its export."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response, StreamingResponse

from tipoff.api import answers, cursors
from tipoff.api.access import Scope
from tipoff.api.ledger.schemas import Kind, LedgerPage, LedgerRow
from tipoff.api.matches.routes import LINK, Cursor, Limit
from tipoff.api.routing import Format, backend_of, described, router
from tipoff.ledger.chain import canonical
from tipoff.storage import ledger
from tipoff.storage.pool import Connection

BATCH = 1000
routes = router("ledger")


@routes.get(
    "/api/ledger", operation_id="list_ledger",
    **described(Scope.READ, LedgerPage, "Rows and head of the ledger", csv=True, cached=True, headers=LINK),
)  # fmt: skip
def list_ledger(
    request: Request,
    kind: Annotated[Kind | None, Query(description="Only rows of this kind.")] = None,
    limit: Limit = 50, cursor: Cursor = None, format: Format = None,  # noqa: A002
) -> Response:  # fmt: skip
    """The chain of sealed forecasts and grades, oldest first."""
    place: Any = cursors.read(cursor, int)

    def page(connection: Connection, after: Any) -> tuple[list[LedgerRow], Any]:
        found = ledger.page(connection, after[0] if after else 0, limit + 1, kind.value if kind else None)
        shown = [_row(row) for row in found[:limit]]
        return shown, (shown[-1].seq,) if len(found) > limit else None

    def made(connection: Connection, items: list[LedgerRow], next_cursor: str | None) -> LedgerPage:
        head = ledger.head(connection)
        return LedgerPage(items=items, next_cursor=next_cursor, head=_row(head) if head else None)

    return answers.listed(request, format, LedgerRow, page, place, ("predictions",), made)


@routes.get(
    "/api/ledger/export", operation_id="export_ledger",
    **described(Scope.READ, "application/x-ndjson", "The whole ledger as JSON lines"),
)  # fmt: skip
def export_ledger(request: Request) -> Response:
    """One canonical JSON object a line, up to the head of now; docs/verify_ledger.py verifies it without Tipoff."""
    backend = backend_of(request)
    newest = backend.ask(ledger.head)
    last = newest.seq if newest else 0

    def lines() -> Iterator[bytes]:
        seq = 0
        while seq < last:
            after = seq
            rows = backend.ask(lambda connection: ledger.page(connection, after, BATCH, None))  # noqa: B023
            kept = [row for row in rows if row.seq <= last]
            yield b"".join(canonical(dataclasses.asdict(row)).encode() + b"\n" for row in kept)
            seq = rows[-1].seq if rows else last

    headers = {"Content-Disposition": 'attachment; filename="ledger.jsonl"', "Cache-Control": answers.PRIVATE}
    return StreamingResponse(lines(), headers=headers, media_type="application/x-ndjson")


def _row(row: ledger.LedgerRow) -> LedgerRow:
    return LedgerRow(seq=row.seq, prev=row.prev, hash=row.hash, content=row.content)
