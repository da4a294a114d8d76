"""The page on regular tasks says what is installed and what care finds."""

from __future__ import annotations

import re

from tests.jobs import ROOT
from tipoff.jobs.schedule import DEFAULTS
from tipoff.storage.care import FINDINGS

PAGE = (ROOT / "docs" / "regular-tasks.md").read_text()


def test_every_schedule_is_explained() -> None:
    """A schedule that nobody hears of; a time that was changed in the code alone."""
    rows = re.findall(r"^\| `([\w ]+)` \| `(\w+)` \| `([^`]+)` \| .{15,} \|$", PAGE, re.MULTILINE)
    assert rows == [(name, job_type, cron) for name, job_type, _, cron in DEFAULTS]


def test_every_finding_is_explained() -> None:
    """A finding without a word on what to do."""
    table = PAGE.partition("| finding |")[2]
    assert set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)))) == {*FINDINGS}
