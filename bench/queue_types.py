"""The compared body as types of jobs of ours."""

from __future__ import annotations

from bench.queue_worker import body
from tipoff.jobs.types import JobType, Params
from tipoff.jobs.work import Work


class Body(Params):
    """Which body, and its number."""

    n: int = 0


def nothing(work: Work) -> None:
    """Does nothing."""
    body(work.task.dsn, "nothing", work.params(Body).n)


def seen(work: Work) -> None:
    """Notes when it began."""
    body(work.task.dsn, "seen", work.params(Body).n)


def slow(work: Work) -> None:
    """Notes that, and takes a minute on its first attempt."""
    body(work.task.dsn, "slow", work.params(Body).n)


TYPES = [
    JobType(f"bench_{run.__name__}", f"bench.queue_types:{run.__name__}", run.__doc__ or "", Body, max_attempts=10)
    for run in (nothing, seen, slow)
]
