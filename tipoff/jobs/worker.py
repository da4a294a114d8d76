"""A worker: leases jobs, runs each below a guard, renews, ends, hands back; it outlives the database's absences.

The engine in words is in DESIGN.md (JOBS) and docs/decisions/0010; every change of a job's state is one statement
of `storage.transitions`.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import os
import random
import socket
import time
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import psycopg

from tipoff.domain.job import Job, JobError
from tipoff.forecast.compiled import COMMAND, environment, is_compiled
from tipoff.jobs import schedule
from tipoff.jobs.deployment import Deployment
from tipoff.jobs.presence import Presence
from tipoff.jobs.reporting import LOST, Report, about, came_to, silence
from tipoff.jobs.slot import Slot
from tipoff.jobs.strays import sweep
from tipoff.jobs.types import JobType
from tipoff.logs import OUTPUT
from tipoff.storage.lease import DatabaseAwayError, LeaseStore, listen

HANDBACK = 5.0
"""seconds in which what still runs is ended and handed back, however often it is asked to stop"""
LAST_WORDS = 5.0
"""seconds that a worker which ends takes to write what its jobs came to"""


@dataclasses.dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. A child must have ended `margin` before its lease does."""

    lease: float = 8.0
    beat: float = 2.0
    margin: float = 1.0
    poll: float = 1.0
    progress: float = 0.5
    grace: float = 20.0
    relisten: tuple[float, float] = (0.5, 10.0)


@dataclasses.dataclass(slots=True)
class Held:
    """A job whose lease is ours, begun and renewed at (monotonic seconds); it works, or its end is being written."""

    job: Job
    slot: Slot
    begun: float
    beaten: float

    @property
    def works(self) -> bool:
        """Whether it is what its slot does."""
        return self.slot.job is self.job


class Worker:
    """Runs up to `concurrency` jobs of `types` at a time until told to stop; with `drain`, until nothing is due.

    `came_to` counts how attempts ended; one whose job is tried again is retried.
    """

    def __init__(
        self, deployment: Deployment, types: Mapping[str, JobType], concurrency: int = 2, *,
        only: Sequence[str] | None = None, schedules: bool = True, timing: Timing | None = None,
        report: Report = silence, drain: bool = False,
    ) -> None:  # fmt: skip
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
        self._types, self._only = types, list(only or types)
        self._compiling: set[str] = set()
        """types that wait until the kernels are compiled"""
        self._timing, self._report, self._schedules = timing or Timing(), report, schedules
        self._store = LeaseStore(deployment.dsn, self.name, self._timing.lease)
        self._dsn = deployment.dsn
        self._slots = [Slot(deployment, self._on_end) for _ in range(concurrency)]
        self._held: dict[uuid.UUID, Held] = {}
        self._drain_only, self.came_to = drain, collections.Counter[str]()
        self._presence = Presence(self._store, self._only, concurrency, lambda: len(self._held))
        self._finishing: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._look_now = True
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._away_said = False
        self._broken: BaseException | None = None

    def stop(self) -> None:
        """Finish what runs within the grace period, hand the rest back; asked twice, hand back at once."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()
        self._wake.set()

    async def run(self) -> None:
        """Until `stop`."""
        sweep()
        if not is_compiled():
            self._compiling = {name for name in self._only if self._types[name].kernels}
        self._say(f"worker {self.name} runs {', '.join(self._only)}")
        works = (self._listen(), self._beat_for_ever(), self._presence.tell(), self._compile())
        helpers = [self._watched(work) for work in works]
        try:
            await self._work()
            await self._drain()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await asyncio.gather(*(slot.close() for slot in self._slots))
            await self._write_the_rest()
            await self._presence.leave()
            await self._store.close()
        if self._broken is not None:
            raise self._broken
        self._say(f"worker {self.name} stopped")

    async def _compile(self) -> None:
        """On a new disk the kernels are compiled first, and others take the jobs that need them meanwhile."""
        if not self._compiling:
            return
        begun = time.monotonic()
        process = await asyncio.create_subprocess_exec(*COMMAND, env=environment())
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        self._say(f"the kernels were compiled in {time.monotonic() - begun:.0f} s (exit code {code})")
        self._compiling = set()
        self._look_now = True
        self._wake.set()

    @property
    def _takes(self) -> list[str]:
        return [name for name in self._only if name not in self._compiling]

    async def _write_the_rest(self) -> None:
        """A last try to write what ended; what cannot be written now is another attempt's once the lease is over."""
        end = time.monotonic() + LAST_WORDS
        while self._finishing and time.monotonic() < end:
            with contextlib.suppress(DatabaseAwayError, psycopg.Error):
                await self._settle()
            if self._finishing:
                await asyncio.wait(self._finishing, timeout=0.1)
        for task in self._finishing:
            task.cancel()
        await asyncio.gather(*self._finishing, return_exceptions=True)

    def _watched(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task whose unforeseen failure ends the worker: one that no longer renews must not go on claiming."""

        def look(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._broken = self._broken or error
                self._hurry.set()
                self.stop()

        task = asyncio.create_task(work)
        task.add_done_callback(look)
        return task

    async def _work(self) -> None:
        next_look = 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            try:
                if self._look_now or now >= next_look:
                    self._look_now = False
                    next_look = now + self._timing.poll * random.uniform(0.7, 1.3)  # noqa: S311
                    await self._look()
                else:
                    await self._settle()
                self._back()
            except DatabaseAwayError as error:
                self._away(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, next_look - time.monotonic())):
                    await self._wake.wait()
            self._wake.clear()

    async def _look(self) -> None:
        idle = not self._held and not self._store.unwritten
        found = await self._store.look(self._takes, list(self._types), list(self._held))
        for job_id in found.cancel:
            if job_id in self._held and self._held[job_id].works:
                self._held[job_id].slot.stop("cancel")
        if found.expired:
            for job_id, state, lost in await self._store.reap():
                said = f"job {job_id}: its worker {lost} was lost; now {state}"
                self._say(said, job_id=str(job_id), outcome=state, lost=lost)
        if found.schedules and self._schedules and not self._stop.is_set():
            for sentence in await schedule.fire_due(self._store, self._types):
                self._say(sentence)
            self._wake.set()
        if found.waiting or found.expired or self._store.unwritten:
            await self._settle()
        elif self._drain_only and idle and not self._compiling:
            self.stop()

    async def _settle(self) -> None:
        """Write completions, and begin jobs in the places that are free."""
        free = [] if self._stop.is_set() or self._broken else [slot for slot in self._slots if slot.job is None]
        if not free and not self._store.unwritten:
            return
        begun = time.monotonic()
        jobs = await self._store.settle(self._takes, len(free))
        lease = begun + self._timing.lease - self._timing.margin
        for job, slot in zip(jobs, free, strict=False):
            self._held[job.id] = Held(job, slot, begun, begun)
        for job, slot in zip(jobs, free, strict=False):
            try:
                self._say_of(job, "begins")
                await slot.start(job, self._types[job.type], lease)
            except OSError as error:
                why = {"kind": "cannot_start", "message": f"no process could be started: {error}", "where": "worker"}
                self._on_end(slot, job, {"outcome": "failed", "transient": True, "error": why})

    def _on_end(self, slot: Slot, job: Job, event: dict[str, Any]) -> None:
        """Its place is free; what became of the job is still to be written."""
        held = self._held.get(job.id)
        if held is None or held.job is not job:
            return  # it was lost, and said so, and is held again in another attempt
        task = self._watched(self._finish(held, {**event, "stopping": slot.stopping}, slot.take_lines()))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    async def _finish(self, held: Held, event: dict[str, Any], lines: list[tuple[int, str]]) -> None:
        """Write what became of an attempt, as long as it is ours."""
        job = held.job
        self._report_lines(job, lines)
        try:
            while self._held.get(job.id) is held:
                try:
                    if lines:
                        await self._store.log(job, lines)
                    said = await self._write_end(job, event)
                    ending = came_to(event, said, time.monotonic() - held.begun)
                    self.came_to["retried" if said.startswith("pending: ") else ending["outcome"]] += 1
                    self._say_of(job, said, **ending)
                    break
                except DatabaseAwayError as error:
                    self._away(error)
                    if time.monotonic() > held.beaten + self._timing.lease:
                        self._say_of(job, "its lease ended while the database was away", outcome="lease_lost")
                        break
            else:
                self._say_of(job, LOST, outcome="lease_lost")
        finally:
            if self._held.get(job.id) is held:
                del self._held[job.id]
            self._wake.set()

    async def _write_end(self, job: Job, event: dict[str, Any]) -> str:
        outcome = event["outcome"]
        if outcome == "completed":
            self._wake.set()
            try:
                done = await self._store.complete(job, event["result"], event.get("message", ""))
            except psycopg.DataError as refusal:
                said = f"its result cannot be stored: {refusal}"
                why = {"kind": "result_not_storable", "message": said, "where": job.type}
                return await self._write_end(job, {"outcome": "failed", "transient": False, "error": why})
            return f"completed, {event.get('peak_mb', 0)} MB" if done else LOST
        if outcome == "ended":
            return "completed in its own transaction"
        if outcome == "lease_lost":
            return "ended before its lease did, because it could not be renewed"
        if outcome == "stopped" and event["stopping"] == "cancel":
            return "cancelled" if await self._store.cancelled(job) else LOST
        if outcome == "stopped":
            return "handed back" if await self._store.release(job) else LOST
        error = JobError(**event["error"])
        backoff = self._types[job.type].backoff
        state = await self._store.fail(job, error, event["transient"], backoff)
        return f"{state}: {error.kind}: {error.message}" if state else LOST

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._timing.progress)
            for slot in self._slots:
                slot.enforce()
            try:
                await self._beat()
            except DatabaseAwayError as error:
                self._away(error)

    async def _beat(self) -> None:
        """Renew leases that are due and write progress; a job that is not in the answer is no longer ours."""
        now = time.monotonic()
        due: list[tuple[Job, float | None, str | None]] = []
        for held in list(self._held.values()):
            said = held.slot.take_progress() if held.works else None
            if said is not None:
                due.append((held.job, round(100 * said[0], 1), said[1]))
            elif now - held.beaten >= self._timing.beat:
                due.append((held.job, None, None))
        if not due:
            return
        answer = await self._store.beat(due)
        for job, _, _ in due:
            mine = self._held.get(job.id)
            if mine is None or mine.job is not job:
                continue
            if job.id not in answer:
                self._say_of(job, "the lease was lost; its process is ended", outcome="lease_lost")
                if mine.works:
                    mine.slot.abandon()
                continue
            mine.beaten = now
            if not mine.works:
                continue
            mine.slot.renew(now + self._timing.lease - self._timing.margin)
            if answer[job.id]:
                mine.slot.stop("cancel")
            lines = mine.slot.take_lines()
            if lines:
                self._report_lines(job, lines)
                await self._store.log(job, lines)

    async def _listen(self) -> None:
        """Be woken at once; where that does not work (a transaction pooler), polling does."""
        wait = self._timing.relisten[0]
        while True:
            try:
                async for payload in listen(self._dsn):
                    wait = self._timing.relisten[0]
                    self._look_now |= payload in ("", "cancel")
                    if payload in ("", "cancel") or payload in self._only:
                        self._wake.set()
            except psycopg.Error:
                pass  # the store says so when the database is away
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
            wait = min(self._timing.relisten[1], 2 * wait)

    async def _drain(self) -> None:
        """Let what runs finish for a while, renewing; then hand it back."""
        if self._held:
            self._say(f"stopping: {len(self._held)} jobs have {self._timing.grace:g} s to finish")
        await self._until_empty(self._timing.grace, self._hurry)
        for held in list(self._held.values()):
            if held.works:
                held.slot.stop("handback")
        await self._until_empty(HANDBACK, asyncio.Event())

    async def _until_empty(self, seconds: float, unless: asyncio.Event) -> None:
        end = time.monotonic() + seconds
        while self._held and time.monotonic() < end and not unless.is_set():
            self._wake.clear()
            try:
                if self._look_now:
                    self._look_now = False
                    await self._look()
                await self._settle()
            except DatabaseAwayError as error:
                self._away(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(0.2, max(0.0, end - time.monotonic()))):
                    await self._wake.wait()

    def _away(self, error: DatabaseAwayError) -> None:
        if not self._away_said:
            self._say(f"the database is away, trying again: {error}")
        self._away_said = True

    def _back(self) -> None:
        if self._away_said:
            self._say("the database is back")
        self._away_said = False

    def _report_lines(self, job: Job, lines: list[tuple[int, str]]) -> None:
        for _, line in lines:
            self._say(OUTPUT, **about(job), line=line)

    def _say(self, sentence: str, **fields: Any) -> None:
        self._report(sentence, worker=self.name, **fields)

    def _say_of(self, job: Job, said: str, **fields: Any) -> None:
        sentence = f"{job.type} {job.id} attempt {job.attempt}: {said}"
        self._say(sentence, **about(job), **fields)
