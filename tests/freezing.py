"""A server that takes every question and answers none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psutil

from tipoff.storage.embedded import PrivatePostgres


def postmaster(postgres: PrivatePostgres) -> psutil.Process:
    """The first process of a server that runs."""
    return psutil.Process(int((postgres.data / "postmaster.pid").read_text().split()[0]))


@contextlib.contextmanager
def frozen(postgres: PrivatePostgres) -> Iterator[None]:
    """All processes of the server stand still meanwhile."""
    first = postmaster(postgres)
    family = [first, *first.children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
