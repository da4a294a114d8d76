"""Publish the head of the ledger when it is time."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from tipoff.ledger.chain import Head
from tipoff.ledger.export import publish_head, tag_head
from tipoff.storage import ledger
from tipoff.storage.pool import Pool


def publish_due(pool: Pool, heads: Path, every: dt.timedelta, git: Path | None, now: dt.datetime) -> Head | None:
    """Append the newest head to the file, and tag it, unless that was done within `every`; what was published.

    `now` is the present of this machine, to which the file belongs.
    """
    if heads.exists() and now - dt.datetime.fromtimestamp(heads.stat().st_mtime, dt.UTC) < every:
        return None
    with pool.connection() as connection:
        newest = ledger.head(connection)
    if newest is None:
        return None
    head = Head(newest.seq, newest.hash, ledger.content(newest)["at"])
    if not publish_head(head, heads):
        heads.touch()
        return None
    if git is not None:
        tag_head(head, git)
    return head
