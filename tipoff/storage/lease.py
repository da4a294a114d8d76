"""What a worker does to the queue: claim, beat, end, reap; over one connection that is made again when lost.

Each call is bounded in time: a server that has stopped answering (frozen, or gone without a word) counts as lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import random
import socket
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tipoff.domain.job import Job, JobError, job_of
from tipoff.storage import connecting, transitions
from tipoff.storage.fence import attempt_name
from tipoff.storage.pool import connection_kwargs

Async = psycopg.AsyncConnection[tuple[Any, ...]]
CALL_TIMEOUT = 5.0
BACKOFF = (0.2, 5.0)
"""first and longest wait in seconds between tries to connect"""


class DatabaseAwayError(Exception):
    """The database did not answer; the connection will be made again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What there is to do; `cancel` are jobs of ours that are to stop."""

    expired: bool
    waiting: bool
    schedules: bool
    cancel: list[uuid.UUID]


@dataclasses.dataclass(frozen=True, slots=True)
class Completion:
    """What is to be written, and who waits for whether it was."""

    values: dict[str, Any]
    written: asyncio.Future[bool]


class LeaseStore:
    """The engine's side of the queue. One call at a time; raises DatabaseAwayError when the database is away."""

    def __init__(self, dsn: str, worker: str, lease: float) -> None:
        self._dsn, self.worker, self.lease = dsn, worker, lease
        self._connection: Async | None = None
        self._turn = asyncio.Lock()
        self._not_before, self._failures = 0.0, 0
        self._completions: list[Completion] = []

    @property
    def unwritten(self) -> bool:
        """Whether completions wait for the next `settle`."""
        return bool(self._completions)

    async def complete(self, job: Job, result: object, message: str) -> bool:
        """The attempt did its work: the next `settle` writes it. False when the job is no longer ours."""
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._completions.append(Completion({**_held(job), "result": Jsonb(result), "message": message}, written))
        return await written

    async def settle(self, types: Sequence[str], limit: int) -> list[Job]:
        """Write completions and begin attempts of up to `limit` waiting jobs, in one transaction.

        One commit for all of it is what a worker with much to do is as fast as.
        """
        async with self._turn:
            together, self._completions = self._completions, []
            claim = {"types": list(types), "limit": limit, "worker": self.worker, "lease": self.lease}
            try:
                found, rows = await self._in_one(together, claim)
            except psycopg.DataError:
                if not together:
                    raise
                await self._one_by_one(together, claim)
                return []
            except Exception as error:
                for one in together:
                    one.written.set_exception(error)
                raise
            for one, done in zip(together, found, strict=True):
                one.written.set_result(done)
            return [job_of(row) for row in rows]

    async def _in_one(
        self, together: Sequence[Completion], claim: dict[str, Any]
    ) -> tuple[list[bool], list[tuple[Any, ...]]]:
        connection = await self._connected()
        with self._bounded(connection):
            async with connection.transaction(), connection.pipeline():
                asked = [await connection.execute(transitions.COMPLETE.encode(), one.values) for one in together]
                claimed = None
                if claim["limit"]:
                    await connection.execute(transitions.IN_ORDER.encode())
                    claimed = await connection.execute(transitions.CLAIM.encode(), claim)
                found = [await cursor.fetchone() is not None for cursor in asked]
                return found, await claimed.fetchall() if claimed else []

    async def _one_by_one(self, together: Sequence[Completion], claim: dict[str, Any]) -> None:
        """One of them cannot be stored: each alone, so that it takes no other with it."""
        for one in together:
            try:
                [done], _ = await self._in_one([one], {**claim, "limit": 0})
                one.written.set_result(done)
            except Exception as error:  # noqa: BLE001 - the one that waits for it is told
                one.written.set_exception(error)

    async def beat(self, jobs: Sequence[tuple[Job, float | None, str | None]]) -> dict[uuid.UUID, bool]:
        """Extend leases and write progress; each job still ours with whether it is to be cancelled."""
        rows = await self._ask(
            transitions.BEAT,
            {
                "lease": self.lease, "ids": [job.id for job, _, _ in jobs],
                "tokens": [job.token for job, _, _ in jobs],
                "progress": [share for _, share, _ in jobs], "messages": [text for _, _, text in jobs],
            },
        )  # fmt: skip
        return {row[0]: row[1] for row in rows}

    async def fail(self, job: Job, error: JobError, transient: bool, backoff: tuple[float, float]) -> str | None:
        """The attempt failed: the state the job has now, None when it is no longer ours."""
        rows = await self._ask(
            transitions.FAIL,
            {
                **_held(job), "error": Jsonb(error.as_json()), "transient": transient, "message": error.message[:500],
                "backoff": backoff[0], "backoff_cap": backoff[1],
            },
        )  # fmt: skip
        return rows[0][0] if rows else None

    async def cancelled(self, job: Job) -> bool:
        """Its process was ended on request."""
        return bool(await self._ask(transitions.CANCELLED, _held(job)))

    async def release(self, job: Job) -> bool:
        """Hand it back, with its attempt."""
        return bool(await self._ask(transitions.RELEASE, _held(job)))

    async def reap(self) -> list[tuple[uuid.UUID, str, str]]:
        """(job, what became of it, the worker that was lost) of every lease that ran out.

        An attempt that was frozen in the middle of a transaction holds its locks: its connections are ended first.
        A job whose rows somebody else has locked is left for the next time.
        """
        async with self._turn:
            connection = await self._connected()
            with self._bounded(connection):
                rows = await (await connection.execute(transitions.EXPIRED.encode())).fetchall()
                names = [attempt_name(job_id, token) for job_id, token in rows]
                await connection.execute(transitions.END_CONNECTIONS.encode(), {"names": names})
                return [found for job_id, _ in rows for found in await self._reap_one(connection, job_id)]

    async def _reap_one(self, connection: Async, job_id: uuid.UUID) -> list[tuple[uuid.UUID, str, str]]:
        try:
            async with connection.transaction():
                await connection.execute(transitions.WAIT_BRIEFLY)
                cursor = await connection.execute(transitions.REAP.encode(), {"id": job_id})
                return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]
        except psycopg.errors.LockNotAvailable:
            return []

    async def look(self, types: Sequence[str], known: Sequence[str], running: Sequence[uuid.UUID]) -> Look:
        """What there is to do for a worker that runs `types` and fires schedules of `known` ones."""
        [row] = await self._ask(
            transitions.LOOK, {"types": list(types), "known": list(known), "running": list(running)}
        )
        return Look(*row)

    async def log(self, job: Job, lines: Sequence[tuple[int, str]]) -> None:
        """Keep lines of its process; those of an attempt that lost its lease are refused."""
        await self._ask(
            transitions.LOG,
            {**_held(job), "numbers": [number for number, _ in lines], "lines": [line for _, line in lines]},
        )

    async def present(self, values: dict[str, Any]) -> None:
        """Say that this worker lives, and on which machine."""
        await self._ask(transitions.PRESENT, {**values, "name": self.worker})

    async def leave(self) -> None:
        """Say that it has stopped."""
        await self._ask(transitions.LEAVE, {"name": self.worker})

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Async]:
        """A transaction on the connection; DatabaseAwayError when it breaks."""
        async with self._turn:
            connection = await self._connected()
            with self._bounded(connection):
                async with connection.transaction():
                    yield connection

    async def close(self) -> None:
        """Give the connection back."""
        async with self._turn:
            if self._connection is not None:
                await self._connection.close()
                self._connection = None

    async def _ask(self, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        async with self._turn:
            connection = await self._connected()
            with self._bounded(connection):
                cursor = await connection.execute(statement.encode(), values)
                return await cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def _bounded(self, connection: Async) -> Iterator[None]:
        """Cut the connection when the work takes too long: waiting for a frozen server cannot be cancelled."""
        overdue = asyncio.get_running_loop().call_later(CALL_TIMEOUT, _cut, connection)
        try:
            yield
        except psycopg.OperationalError as error:
            self._lose()
            raise DatabaseAwayError(str(error).strip() or type(error).__name__) from error
        finally:
            overdue.cancel()

    async def _connected(self) -> Async:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._not_before - loop.time()))
        try:
            self._connection = await connect(self._dsn, "tipoff-worker")
            self._connection.add_notify_handler(_not_for_us)
        except psycopg.OperationalError as error:
            self._failures += 1
            wait = min(BACKOFF[1], BACKOFF[0] * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311
            self._not_before = loop.time() + wait
            raise DatabaseAwayError(str(error).strip() or type(error).__name__) from error
        self._failures = 0
        return self._connection

    def _lose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.pgconn.finish()


def _not_for_us(_told: psycopg.Notify) -> None:
    """A transaction pooler passes on what others listen to; psycopg would keep it all until somebody asked."""


def _cut(connection: Async) -> None:
    with (
        contextlib.suppress(OSError, psycopg.OperationalError),
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as wire,
    ):
        wire.shutdown(socket.SHUT_RDWR)


async def connect(dsn: str, name: str) -> Async:
    """A connection that commits each statement by itself, in UTC; raises OperationalError when nobody answers."""
    how = {**connection_kwargs(name), "connect_timeout": CALL_TIMEOUT}
    connection = await connecting.AsyncConnection.connect(dsn, autocommit=True, **how)
    overdue = asyncio.get_running_loop().call_later(
        CALL_TIMEOUT, _cut, connection
    )  # a pooler answers for a dead server
    try:
        await connection.execute(
            "select set_config('timezone', 'UTC', false), set_config('statement_timeout', '10s', false)"
        )
    except BaseException:
        connection.pgconn.finish()
        raise
    finally:
        overdue.cancel()
    return connection


async def listen(dsn: str) -> AsyncIterator[str]:
    """Payloads of the channel, as long as the connection lasts; raises OperationalError when it is lost."""
    connection = await connect(dsn, "tipoff-listener")
    try:
        await connection.execute(f"listen {transitions.CHANNEL}".encode())
        yield ""
        async for notify in connection.notifies():
            yield notify.payload
    finally:
        connection.pgconn.finish()


def _held(job: Job) -> dict[str, Any]:
    return {"id": job.id, "token": job.token}
