"""The quarterly look at the database: what it says of itself, and only when told, what can be mended in place."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from tipoff.errors import InputError
from tipoff.jobs.types import DatabaseCareParams
from tipoff.jobs.work import Work
from tipoff.storage import care, reports

FINDING = "database_care"
LOOK = 60.0
"""seconds that a question of the report may take"""
RESERVE = 20.0
"""seconds of the job's time that no act may use"""
LISTED = 50


@dataclasses.dataclass(slots=True)
class Acts:
    """What is done, one after the other, within the time that is left; each act is said, and what came of it."""

    work: Work
    connection: care.Owner
    done: list[str]
    not_done: list[str]

    def do(self, share: float, said: str, act: Callable[[care.Owner, str], None], name: str) -> None:
        """One act, unless the time is used up."""
        left = self.work.seconds_left - RESERVE
        if left <= 1:
            self.not_done.append(f"{said}: no time left")
            return
        self.work.progress(share, said)
        try:
            care.limit(self.connection, left)
            act(self.connection, name)
        except (
            psycopg.errors.QueryCanceled,
            psycopg.errors.LockNotAvailable,
            psycopg.errors.InsufficientPrivilege,
        ) as e:
            self.not_done.append(f"{said}: {str(e).splitlines()[0]}")
        else:
            self.done.append(said)


def database_care(work: Work) -> dict[str, Any]:
    """Report on tables and indexes; with `act`, vacuum tables and build bloated indexes anew. None is dropped."""
    act = work.params(DatabaseCareParams).act
    with _owner(work) as connection:
        care.limit(connection, LOOK)
        found = care.report(connection)
        since = care.counted_since(connection)
        acts = Acts(work, connection, [], [])
        if act:
            _act(acts, found)
            found["tables"] = care.report(connection)["tables"]
    sizes = {row["table"]: row["bytes"] for row in found["tables"]}
    with work.pool.connection() as pooled:
        last = reports.found(pooled, FINDING)
        reports.find(pooled, FINDING, {"bytes": sizes}, work.now)
    before: dict[str, int] = last[0]["bytes"] if last else {}
    grown = {table: size - before.get(table, 0) for table, size in sizes.items()} if last else {}
    work.message = _words(found, sum(grown.values()) if last else None, act, acts)
    return {
        **{name: _listed(rows) for name, rows in found.items()}, "bytes": sum(sizes.values()),
        "uses_counted_since": since, "last_report": last[1].isoformat() if last else None, "growth": grown,
        "acted": acts.done, "not_done": acts.not_done,
    }  # fmt: skip


@contextlib.contextmanager
def _owner(work: Work) -> Iterator[care.Owner]:
    if work.task.owner_dsn is None:
        raise InputError("database care needs the owner's address of the database")
    with psycopg.connect(work.task.owner_dsn, autocommit=True, prepare_threshold=None) as connection:
        yield connection


def _act(acts: Acts, found: dict[str, list[dict[str, Any]]]) -> None:
    tables = sorted(row["table"] for row in found["tables"])
    indexes = [row["index"] for row in found["bloated_indexes"]]
    steps = len(tables) + len(indexes)
    for number, table in enumerate(tables):
        acts.do(number / steps, f"vacuum and analyze {table}", care.vacuum, table)
    for number, index in enumerate(indexes, start=len(tables)):
        acts.do(number / steps, f"reindex {index}", care.rebuild, index)


def _listed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()} for row in rows[:LISTED]]


def _words(found: dict[str, list[dict[str, Any]]], grown: int | None, act: bool, acts: Acts) -> str:
    """One sentence a job can say."""
    size = sum(row["bytes"] for row in found["tables"])
    change = "" if grown is None else f" ({grown / 2**20:+.1f} MB since the last report)"
    counted = [f"{len(rows)} {name.replace('_', ' ')}" for name, rows in found.items() if name != "tables" and rows]
    said = f"{len(found['tables'])} tables, {size / 2**20:.1f} MB{change}; {', '.join(counted) or 'nothing to mend'}"
    if not act:
        return f"{said}; nothing was changed (act=true to vacuum and reindex)"
    return f"{said}; {len(acts.done)} acts done" + (f", {len(acts.not_done)} not" if acts.not_done else "")
