"""A message of trial to every receiver."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from tipoff.delivery.announce import announce
from tipoff.delivery.notice import Notice
from tipoff.storage.pool import Connection


def announce_trial(connection: Connection, channels: Sequence[str], now: dt.datetime) -> int:
    """How many receivers there are; raises nothing where there is none."""
    notice = Notice(
        None, "trial", "", "warning", "test", "this is a trial: alerts of this Tipoff reach you here",
        "Nothing is wrong.", now, now,
    )  # fmt: skip
    return announce(connection, channels, notice, now=now)
