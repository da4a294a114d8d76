"""Types of jobs that behave badly on purpose; workers load them through TIPOFF_JOB_MODULES."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
from pydantic import Field

from tipoff.errors import InputError, LeaseLostError, TransientUpstreamError
from tipoff.jobs.types import DataPipelineParams, JobType, ModelTrainingParams, Params, Secret
from tipoff.jobs.work import StepRun, Work


class Number(Params):
    """A number, and seconds to take."""

    n: int = 0
    seconds: float = Field(0.0, ge=0)


def nothing(work: Work) -> None:
    """Does nothing."""


def effect(work: Work) -> None:
    """Writes a row into a table without any uniqueness and completes, in one transaction."""
    params = work.params(Number)
    time.sleep(params.seconds)
    with work.pool.connection() as connection:
        connection.execute(
            "insert into effects (n, pid, attempt) values (%s, %s, %s)", (params.n, os.getpid(), work.task.attempt)
        )
        work.complete(connection, {"n": params.n})


def sleep(work: Work) -> dict[str, Any]:
    """Reports progress while time passes, then says which process it was."""
    end = time.monotonic() + work.params(Number).seconds
    begun = time.monotonic()
    while time.monotonic() < end:
        work.progress((time.monotonic() - begun) / work.params(Number).seconds, "sleeping")
        time.sleep(0.05)
    return {"pid": os.getpid()}


class Noted(Number):
    """And a file in which to note the end."""

    note: str = ""


def late_write(work: Work) -> None:
    """Writes row by row, so that a resumed process writes at once; notes that it was refused."""
    params = work.params(Noted)
    end = time.monotonic() + params.seconds
    try:
        while time.monotonic() < end or work.task.attempt == 1:
            with contextlib.suppress(psycopg.OperationalError), work.pool.connection() as connection:  # it may be cut
                connection.execute(
                    "insert into effects (n, pid, attempt) values (1, %s, %s)", (os.getpid(), work.task.attempt)
                )
            time.sleep(0.02)
    except LeaseLostError as error:
        Path(params.note).write_text(str(error))
        raise


def deaf(work: Work) -> None:
    """A Python loop that ignores every signal it can."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    work.progress(0.5, f"deaf {os.getpid()}")
    while True:
        pass


def c_call(work: Work) -> None:
    """A call into C that never gives the interpreter back."""
    work.progress(0.5, f"busy {os.getpid()}")
    re.match(r"(a+)+$", "a" * 60 + "b")


def timeout(work: Work) -> None:
    """Takes too long."""
    time.sleep(60)


def greedy(work: Work) -> int:
    """Allocates 2 GB."""
    return len(bytearray(2 << 30))


def creeping(work: Work) -> int:
    """Uses memory through the C library, bit by bit, beyond its limit."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    for _ in range(200):
        ctypes.memset(libc.malloc(8 << 20), 1, 8 << 20)
        time.sleep(0.005)
    time.sleep(5)
    return 0


def forks(work: Work) -> None:
    """Forks itself."""
    os.fork()


def leaves(work: Work) -> None:
    """Leaves a process behind that tried to get away from its group."""
    done = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True)
    print(f"left {done.pid}")


def loud(work: Work) -> None:
    """Writes 100 MB."""
    line = "x" * 999
    for _ in range(100_000):
        print(line)


def talkative(work: Work) -> dict[str, Any]:
    """Writes a thousand lines and a secret, and returns it."""
    for i in range(1000):
        print(f"line {i}")
    print(f"password {work.task.environment} {os.environ.get('TIPOFF_H2H_2025_TOKEN')}")
    return {"given": [os.environ.get("TIPOFF_H2H_2025_TOKEN"), 7]}


def leaky(work: Work) -> None:
    """Writes every secret it can find in every spelling, and fails with them."""
    from tests.secrets import VALUES, spellings

    told = [one for secret in VALUES for one in spellings(secret)]
    for one in told:
        print(f"found {one}")
    print(json.dumps(work.task.environment), work.task.dsn, repr(told))
    raise InputError(" ".join(told))


def segfault(work: Work) -> None:
    """Reads address zero."""
    ctypes.string_at(0)


def vanish(work: Work) -> None:
    """Ends its process with success."""
    os._exit(0)


def unprintable(work: Work) -> str:
    """Says what no database can hold, and a share that is none."""
    work.progress(float("nan"), "half \ud83d and \0")
    print("nul \0")
    time.sleep(1.2)
    return "fine"


def unstorable(work: Work) -> str:
    """Returns what no database can hold."""
    return "nul \0"


def ill(work: Work) -> None:
    """Fails with what no database can hold."""
    raise InputError("nul \0 and half \ud83d")


def wordless(work: Work) -> int:
    """Says something that is no text."""
    work.message = 5  # type: ignore[assignment]
    return 1


def leaves_a_shell_job(work: Work) -> None:
    """Starts something in the background of a shell that has ended."""
    subprocess.run(["sh", "-c", "sleep 120 >/dev/null 2>&1 & echo left $!"], check=True)


def angry(work: Work) -> None:
    """Fails while it tidies up."""
    work.progress(0.5, "calm")
    try:
        time.sleep(60)
    finally:
        raise ValueError("tidying up failed")


def busy_family(work: Work) -> None:
    """Has children, one of them in a session of its own."""
    made = [subprocess.Popen(["sleep", "120"], start_new_session=far) for far in (False, True)]
    work.progress(0.5, " ".join(str(one.pid) for one in made))
    time.sleep(60)


def holds_its_step(work: Work) -> None:
    """Stays in the middle of a transaction that has written its step, in its first attempt."""
    work.plan("only")
    work.step("only", _hold)


def _hold(run: StepRun) -> dict[str, Any]:
    if "held" not in run.detail and run._work.task.attempt == 1:
        with run._work.pool.connection() as connection:
            run.note(connection, held=True)
            time.sleep(0.3)  # progress is told a few times a second at most
            run._work.progress(0.5, "holding")
            time.sleep(60)
    return {}


def passing(work: Work) -> str:
    """Fails for a passing reason until its third attempt."""
    if work.task.attempt < 3:
        raise TransientUpstreamError("the league is having a rest")
    return "at last"


def stores(work: Work) -> str:
    """Stores a file of a model."""
    return work.store.put("document", b"{}")


def wrong(work: Work) -> None:
    """Fails for good."""
    raise InputError("this can never work")


def broken(work: Work) -> None:
    """A bug."""
    raise KeyError("missing")


def kills_worker(work: Work) -> None:
    """Kills the worker that runs it."""
    guard = os.getppid()
    worker = int(Path(f"/proc/{guard}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(worker, signal.SIGKILL)
    time.sleep(60)


class Killed(DataPipelineParams):
    """A pipeline that is killed in its first attempt: at the beginning, in the middle, late, or after a step."""

    step: str
    moment: str


def killed_pipeline(work: Work) -> dict[str, Any]:
    """Dies as if the machine had, once."""
    params = work.params(Killed)
    plain = work.step

    def step(name: str, do: Any) -> dict[str, Any]:
        if work.task.attempt > 1 or name != params.step:
            return plain(name, do)
        if params.moment == "begin":
            return plain(name, lambda _run: os.kill(os.getpid(), signal.SIGKILL))
        if params.moment == "middle":
            return plain(name, lambda run: _dying(run, do))
        if params.moment == "late":
            return plain(name, lambda run: _die(do(run)))
        done = plain(name, do)
        os.kill(os.getpid(), signal.SIGKILL)
        return done

    work.step = step  # type: ignore[method-assign]
    from tipoff.jobs.handlers import pipeline

    recipe = ModelTrainingParams() if params.train_model else None
    return pipeline.run(work, params.history_days, False, params.return_predictions, recipe)


def _die(_: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(run: StepRun, do: Any) -> dict[str, Any]:
    """Does the work and dies before the step is noted as complete; fetching dies after its first batch."""
    note = run.note

    def noted(connection: Any, **detail: Any) -> None:
        note(connection, **detail)
        if run.name == "fetch":
            connection.commit()
        os.kill(os.getpid(), signal.SIGKILL)

    run.note = noted  # type: ignore[method-assign]
    do(run)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def slow_training(work: Work) -> dict[str, Any]:
    """A training whose every look at the likelihood takes long, so that the search cannot come to its end."""
    from tipoff.forecast import fit
    from tipoff.jobs.handlers.training import model_training

    plain = fit.learn_table

    def slow(*arguments: Any, **named: Any) -> Any:
        time.sleep(0.25)
        return plain(*arguments, **named)

    fit.learn_table = slow
    return model_training(work)


def slow_history(work: Work) -> dict[str, Any]:
    """A pipeline whose source takes its time, so that no attempt comes to the end of a long history."""
    from tipoff.jobs.handlers import pipeline

    pipeline.FOR_THE_REST = work.seconds_left - 2.0  # from here: importing takes as long as the machine is busy
    plain = work.source.fetch_day

    def slow(day: Any) -> Any:
        time.sleep(0.4)
        return plain(day)

    work.source.fetch_day = slow  # type: ignore[method-assign]
    return pipeline.run(work, work.params(DataPipelineParams).history_days, False, False, None)


def environment(work: Work) -> dict[str, Any]:
    """Says which secrets it was given."""
    asked = ("TIPOFF_H2H_2025_TOKEN", "DATABASE_URL", "SUPABASE_SERVICE_ROLE_KEY")
    seen = {name: "***" if os.environ.get(name) else None for name in asked}
    return {**seen, "proc_environ": "t0k3n" in Path("/proc/self/environ").read_text()}


def _type(name: str, run: Any, **changes: Any) -> JobType:
    return JobType(name, f"tests.job_types:{run.__name__}", run.__doc__ or "", **{"params": Number, **changes})


TYPES = [
    _type("nothing", nothing), _type("effect", effect, max_attempts=50, backoff=(0.1, 1.0)), _type("sleep", sleep),
    _type("late_write", late_write, max_attempts=5, params=Noted), _type("deaf", deaf), _type("c_call", c_call),
    _type("timeout", timeout, seconds=1.0), _type("greedy", greedy, megabytes=256),
    _type("creeping", creeping, megabytes=256), _type("forks", forks), _type("leaves", leaves), _type("loud", loud),
    _type("talkative", talkative, secrets=frozenset({Secret.DATABASE, Secret.SOURCE})),
    _type("leaky", leaky, secrets=frozenset(Secret)),
    _type("segfault", segfault, max_attempts=1),
    _type("vanish", vanish, max_attempts=1),
    _type("unprintable", unprintable), _type("unstorable", unstorable), _type("ill", ill),
    _type("wordless", wordless), _type("leaves_a_shell_job", leaves_a_shell_job), _type("angry", angry),
    _type("busy_family", busy_family, max_attempts=1), _type("holds_its_step", holds_its_step),
    _type("passing", passing, backoff=(0.05, 0.2)), _type("wrong", wrong), _type("broken", broken),
    _type("stores", stores, secrets=frozenset({Secret.DATABASE, Secret.ARTIFACTS}), backoff=(0.05, 0.2)),
    _type("kills_worker", kills_worker, max_attempts=2), _type("only_one", sleep, single=True),
    _type("environment", environment),
    _type("slow_training", slow_training, params=ModelTrainingParams, secrets=frozenset(Secret), megabytes=1024,
          seconds=24.0),
    _type("slow_history", slow_history, params=DataPipelineParams, secrets=frozenset(Secret), seconds=21.5,
          backoff=(0.05, 0.1), max_attempts=12),
    _type("killed_pipeline", killed_pipeline, params=Killed, secrets=frozenset(Secret), megabytes=1024, seconds=250.0,
          backoff=(0.05, 0.1)),
    _type("environment_with_source", environment, secrets=frozenset({Secret.DATABASE, Secret.SOURCE})),
]  # fmt: skip
