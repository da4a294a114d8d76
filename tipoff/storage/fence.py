"""Connections whose every writing transaction ends with the question whether its job is still ours.

The check is the last statement before each commit (DESIGN.md, JOBS): it takes a share lock on the job's row, so
no other attempt can begin between the check and the commit. What an attempt that lost its lease wrote is rolled
back.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from tipoff.errors import LeaseLostError
from tipoff.storage import connecting, transitions
from tipoff.storage.pool import Connection, Pool, configure, connection_kwargs

WROTE_NOTHING_OR_HELD = (
    f"select pg_current_xact_id_if_assigned() is null or exists ({transitions.FENCE})"  # the second part is not
    # evaluated where nothing was written, so that a repeatable read alone is never disturbed by a heartbeat
)


class FencedConnection(connecting.Connection):
    """Commits only while the job `(id, token)` is held; raises LeaseLostError and rolls back otherwise."""

    held: tuple[uuid.UUID, int] | None = None

    def commit(self) -> None:
        """Ask, then commit."""
        if self.info.transaction_status == TransactionStatus.INTRANS:
            self._ask()
        super().commit()

    @contextlib.contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        """Like psycopg's; the outermost one asks before it commits."""
        outermost = self.info.transaction_status == TransactionStatus.IDLE
        with super().transaction(savepoint_name, force_rollback) as transaction:
            yield transaction
            if outermost and self.info.transaction_status == TransactionStatus.INTRANS:
                self._ask()

    def _ask(self) -> None:
        if self.held is None:
            return
        job_id, token = self.held
        row = self.execute(WROTE_NOTHING_OR_HELD, {"id": job_id, "token": token}).fetchone()
        if row is None or not row[0]:
            self.rollback()
            raise LeaseLostError(f"job {job_id} is no longer held by this attempt: what it wrote last was undone")


def attempt_name(job_id: uuid.UUID, token: int) -> str:
    """What the connections of one attempt are called, so that whoever takes its job over can end them."""
    return f"tipoff-job {job_id} {token}"


def fenced_pool(dsn: str, job_id: uuid.UUID, token: int, max_size: int = 2) -> Pool:
    """An open pool whose transactions are fenced by the job's token."""

    def prepare(connection: Connection) -> None:
        configure(connection)
        assert isinstance(connection, FencedConnection)  # noqa: S101 - the pool makes nothing else
        connection.held = (job_id, token)

    pool: Pool = ConnectionPool(
        dsn, connection_class=FencedConnection, min_size=1, max_size=max_size, open=False, configure=prepare,
        timeout=20.0, kwargs=connection_kwargs(attempt_name(job_id, token)),
    )  # fmt: skip
    pool.open(wait=True, timeout=20.0)
    return pool
