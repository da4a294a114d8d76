"""One web process for a file of tests of pages, with what its database holds put in by the test."""

from __future__ import annotations

from tests.api.conftest import (
    application_dsn,
    dsn,
    folder,
    kept_pool,
    owner,
    pool,
    server,
    shared_dsn,
    template,
    web,
)  # fmt: skip

__all__ = [
    "application_dsn", "dsn", "folder", "kept_pool", "owner", "pool", "server", "shared_dsn", "template", "web",
]  # fmt: skip
