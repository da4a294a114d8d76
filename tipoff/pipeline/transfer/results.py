"""The results in an export, read without a database: for backtests."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import io
import json
import zlib
from pathlib import Path
from typing import Any

from tipoff.domain.match import Match, MatchStatus
from tipoff.pipeline.transfer.archive import Archive, refuse
from tipoff.pipeline.transfer.manifest import NAME, read_manifest, table_part
from tipoff.storage.migrations import files


@dataclasses.dataclass(frozen=True, slots=True)
class Results:
    """Matches that were believed when the export was made, and the ids of those that were older results."""

    matches: list[Match]
    older: frozenset[str]


def is_export(path: Path) -> bool:
    """Whether that is an export, and no folder of recorded days."""
    return path.is_file() or (path / NAME).is_file()


def read_results(path: Path) -> Results:
    """The matches of an export; raises InputError where it is not whole, or of another version."""
    archive = Archive(path)
    name = table_part("matches")
    part = read_manifest(archive, files()[-1][0]).parts.get(name)
    if part is None or name not in archive.sizes:
        refuse(path, f"{name} is missing")
    with archive.open(name) as section:
        packed = section.read()
        if section.drain() != part.sha256:
            refuse(path, f"{name} was changed or cut short")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as lines:
            rows = [json.loads(line) for line in lines]
        return Results([_match(row) for row in rows], frozenset(row["external_id"] for row in rows if row["older"]))
    except (EOFError, OSError, zlib.error, ValueError, KeyError, TypeError) as error:
        refuse(path, f"{name} cannot be read: {error!r}")


def _match(row: dict[str, Any]) -> Match:
    start = dt.datetime.fromisoformat(row["start_at"]).astimezone(dt.UTC)
    return Match(
        row["external_id"], start, row["player_a"], row["player_b"], row["team_a"], row["team_b"], row["stream"],
        MatchStatus(row["status"]), row["score_a"], row["score_b"],
    )  # fmt: skip
