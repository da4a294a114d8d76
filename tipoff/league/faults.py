"""What can go wrong with a server, by switch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

FAULTS = (
    "429", "500", "hang", "cut_body", "invalid_json", "wrong_types", "empty_day", "duplicate_rows", "changed_results",
)  # fmt: skip
HANG_SECONDS = 30.0


class Faults:
    """One fault for the next `count` answers of the schedule; none when count is 0."""

    def __init__(self) -> None:
        self.name, self.count = "", 0

    def set(self, name: str, count: int) -> None:
        """Arm a fault; raises ValueError for one that is not known."""
        if name not in FAULTS:
            raise ValueError(f"{name!r} is none of {', '.join(FAULTS)}")
        self.name, self.count = name, count

    async def answer(self, rows: list[dict[str, Any]]) -> Response:
        """The rows as the server would send them, or what is wrong with it now."""
        if self.count <= 0:
            return JSONResponse(rows)
        self.count -= 1
        if self.name == "429":
            return JSONResponse({"error": "slow down"}, status_code=429, headers={"Retry-After": "7"})
        if self.name == "500":
            return JSONResponse({"error": "internal"}, status_code=500)
        if self.name == "hang":
            await asyncio.sleep(HANG_SECONDS)
        if self.name == "cut_body":
            return _cut(json.dumps(rows).encode())
        if self.name == "invalid_json":
            return Response(json.dumps(rows)[: -len(rows) - 2], media_type="application/json")
        return JSONResponse(_altered(self.name, rows))


def _altered(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if name == "wrong_types":
        return [{**row, "teamAScore": str(row["teamAScore"])} if i % 2 else row for i, row in enumerate(rows)]
    if name == "empty_day":
        return []
    if name == "duplicate_rows":
        return [row for row in rows for _ in range(2)]
    if name == "changed_results":
        ended = [row["matchStatus"] == "MATCH_ENDED" for row in rows]
        return [{**row, "teamAScore": 99} if end else row for row, end in zip(rows, ended, strict=True)]
    return rows


def _cut(body: bytes) -> Response:
    """Half of the body under a content length for the whole."""

    async def half() -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]

    return StreamingResponse(half(), headers={"Content-Length": str(len(body))}, media_type="application/json")
