"""Who is told when those who tell are gone: how often a process of its own is begun, and what becomes of it."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs import ROOT, eventually
from tests.receiver import Receiver
from tipoff.health import rescue
from tipoff.health.report import Checked, Finding, Report, Status
from tipoff.health.rescue import Rescue
from tipoff.health.settings import HealthSettings

BEGIN = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)
LIMITS = HealthSettings()


def report(at: dt.datetime, *found: Finding, age: float = 0.0) -> Report:
    """A look with these findings; the oldest message has been due for `age` seconds."""
    return Report({"job_queue": Checked("", found, {"message_age_seconds": age})}, at, 1.0, "web:1")


def away(since: dt.datetime) -> Finding:
    """The database does not answer since then."""
    return Finding("database_away", Status.ERROR, "the database does not answer", "See.", since=since)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who is told."""
    made = Receiver()
    try:
        yield made
    finally:
        made.down()


@pytest.fixture
def tells(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rescue]:
    """A rescue whose channel is the receiver, and which may begin a process each half second."""
    monkeypatch.setattr(rescue, "AGAIN", 0.5)
    made = Rescue({
        **os.environ, "PYTHONPATH": str(ROOT), "TIPOFF_HOME": str(tmp_path),
        "TIPOFF_ALERT_URLS": f"json://127.0.0.1:{receiver.port}/hook",
    })  # fmt: skip
    try:
        yield made
    finally:
        made.stop()


def test_an_outage_is_told_once_however_it_flaps(tells: Rescue, receiver: Receiver) -> None:
    """Seven messages in ten minutes from one process."""
    tells.see(report(BEGIN + 59 * SECOND, away(BEGIN)), LIMITS)
    assert not receiver.got
    for n in range(10):  # seventy seconds away, ten back
        begin = BEGIN + n * 80 * SECOND
        tells.see(report(begin + 61 * SECOND, away(begin)), LIMITS)
        tells.see(report(begin + 71 * SECOND), LIMITS)
        if n == 0:
            eventually(lambda: receiver.got, "the message")
        time.sleep(0.1)
    time.sleep(1.0)
    [got] = receiver.got
    told = json.dumps(got.json)
    assert "the database does not answer" in told
    assert "you may be told again" in told


def test_another_outage_is_told_of_too(tells: Rescue, receiver: Receiver) -> None:
    """The first outage of the day is told of and no other for hours; or two kinds by turns, again and again."""
    for n in range(2):
        begin = BEGIN + n * 30 * MINUTE
        tells.see(report(begin + 2 * MINUTE, away(begin)), LIMITS)
        eventually(lambda: len(receiver.got) == n + 1, "the message")  # noqa: B023
        time.sleep(0.6)
        unwritable = Finding("database_unwritable", Status.ERROR, "it is read-only", "See.", since=begin)
        tells.see(report(begin + 3 * MINUTE, unwritable), LIMITS)
        tells.see(report(begin + 4 * MINUTE), LIMITS)
    time.sleep(1.0)
    assert len(receiver.got) == 2


def test_nobody_to_tell_is_no_process() -> None:
    """A process that is begun for nobody, again and again."""
    alone = Rescue({}, channels=False)
    alone.see(report(BEGIN + 2 * MINUTE, away(BEGIN)), LIMITS)
    assert alone._processes == {}


def test_a_message_that_did_not_arrive_is_tried_again(tells: Rescue, receiver: Receiver) -> None:
    """A channel that was down for a moment, and nobody ever hears of a night without a database."""
    receiver.down()
    finding = away(BEGIN)
    tells.see(report(BEGIN + 2 * MINUTE, finding), LIMITS)
    process = tells._processes["direct"]
    assert process.wait(30) != 0
    receiver.up()
    time.sleep(0.6)
    tells.see(report(BEGIN + 3 * MINUTE, finding), LIMITS)
    eventually(lambda: receiver.got, "the message")


def test_messages_that_nobody_delivers(tells: Rescue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers live, and none of them runs the delivery; or none lives; or a process for each look."""
    begun: list[str] = []
    monkeypatch.setattr(tells, "_run", lambda kind, *_: begun.append(kind))
    tells.see(report(BEGIN, age=80.0), LIMITS)
    assert begun == []
    tells.see(report(BEGIN, age=95.0), LIMITS)
    assert begun == ["deliver"]
    nobody = Finding("no_workers", Status.ERROR, "no worker is alive", "Start one.")
    tells.see(report(BEGIN, nobody, age=0.0), LIMITS)
    assert begun == ["deliver"]
    tells.see(report(BEGIN, nobody, age=1.0), LIMITS)
    assert begun == ["deliver", "deliver"]


def test_processes_end_with_the_one_that_began_them(receiver: Receiver, tells: Rescue) -> None:
    """A web process that stops and leaves others behind."""
    receiver.open.clear()
    tells.see(report(BEGIN + 2 * MINUTE, away(BEGIN)), LIMITS)
    process = tells._processes["direct"]
    eventually(lambda: receiver.got, "it to be at it")
    assert process.poll() is None
    tells.stop()
    assert process.poll() is not None
    receiver.open.set()
