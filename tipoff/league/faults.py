"""What can go wrong with a server, by switch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

FAULTS = (
    "404", "429", "500", "hang", "cut_body", "invalid_json", "wrong_types", "empty_day", "duplicate_rows",
    "changed_results",
)  # fmt: skip
HANG_SECONDS = 30.0


class Faults:
    """One fault for the next `count` answers of the schedule, or of details; none when count is 0."""

    def __init__(self, details: bool = False) -> None:
        self.name, self.count, self._altered = "", 0, _altered_details if details else _altered

    def set(self, name: str, count: int) -> None:
        """Arm a fault; raises ValueError for one that is not known."""
        if name not in FAULTS:
            raise ValueError(f"{name!r} is none of {', '.join(FAULTS)}")
        self.name, self.count = name, count

    async def answer(self, rows: Any) -> Response:
        """The rows (or the object of details) as the server would send them, or what is wrong with it now."""
        if self.count <= 0:
            return JSONResponse(rows)
        self.count -= 1
        if self.name == "404":
            return JSONResponse({"error": "not found"}, status_code=404)
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
        return JSONResponse(self._altered(self.name, rows))


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


def _altered_details(name: str, shown: Any) -> Any:
    if name == "wrong_types":
        return json.loads(json.dumps(shown).replace('Points": ', 'Points": -'))
    return type(shown)() if name == "empty_day" else shown


def _cut(body: bytes) -> Response:
    """Half of the body under a content length for the whole."""

    async def half() -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]

    return StreamingResponse(half(), headers={"Content-Length": str(len(body))}, media_type="application/json")
