"""Alerts over test time: what opens, who is told how often, what is over; written to a real database."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from tipoff.health.alerting import Missed
from tipoff.health.keeping import keep
from tipoff.health.report import Checked, Finding, Report, Status
from tipoff.health.rules import CHECKS, RULES, error, warning
from tipoff.health.settings import HealthSettings
from tipoff.storage import alerts
from tipoff.storage.alerts import COLUMNS, Alert
from tipoff.storage.pool import Pool

BEGIN = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
SECOND, MINUTE, HOUR = dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(hours=1)
DISK = error("disk_low", "the disk is 98 % full")
TIGHT = warning("disk_low", "the disk is 91 % full")
LIMITS = HealthSettings()


class Looks:
    """Looks at chosen times, each with what it found; one channel is told."""

    def __init__(self, pool: Pool, **limits: Any) -> None:
        self._pool, self._limits = pool, HealthSettings.model_validate(limits)
        self._before: Report | None = None

    def look(
        self, at: dt.datetime, *found: Finding, blind: Iterable[str] = (), lost: Iterable[Finding] = (),
        channels: Sequence[str] = ("json-abc123",),
    ) -> None:  # fmt: skip
        """A look at that time, written down, by a process with these channels; `blind` checks could not look."""
        by_check = {name: [f for f in found if RULES[f.rule].check == name] for name in CHECKS}
        checks = {name: Checked("", tuple(fs), looked=name not in blind) for name, fs in by_check.items()}
        self._before = Report(checks, at, 1.0, "test").since(self._before)
        with self._pool.connection() as connection:
            keep(connection, self._before, self._limits, channels, [Missed(f, at) for f in lost])

    def told(self) -> list[tuple[str, str, dt.datetime]]:
        """(event, severity, when) of each message, oldest first."""
        with self._pool.connection() as connection:
            rows = connection.execute(
                "select payload #>> '{notice,event}', payload #>> '{notice,alert,severity}', "
                "(payload #>> '{notice,at}')::timestamptz from outbox order by id"
            ).fetchall()
        return [(row[0], row[1], row[2]) for row in rows]

    def alerts(self) -> list[Alert]:
        """Every alert that was believed."""
        with self._pool.connection() as connection:
            rows = connection.execute(f"select {COLUMNS} from alerts where state <> 'pending' order by id".encode())
            return [Alert(*row) for row in rows.fetchall()]


def over(begin: dt.datetime, seconds: int, step: int = 30) -> Iterable[dt.datetime]:
    """Times of looks from `begin` on."""
    return (begin + n * SECOND for n in range(0, seconds, step))


def test_what_lasts_is_told_once_and_again_when_it_is_over(pool: Pool) -> None:
    """A message for each look; an alert for a moment's trouble; one that never ends."""
    looks = Looks(pool)
    looks.look(BEGIN)
    looks.look(BEGIN + 30 * SECOND, DISK)
    assert looks.told() == []
    for at in over(BEGIN + MINUTE, 1200):
        looks.look(at, DISK)
    assert looks.told() == [("opened", "error", BEGIN + 90 * SECOND)]
    [alert] = looks.alerts()
    assert (alert.state, alert.since, alert.told) == ("open", BEGIN + 30 * SECOND, 1)
    for at in over(BEGIN + 21 * MINUTE, 301):
        looks.look(at)
    [alert] = looks.alerts()
    assert (alert.state, alert.clear_since, alert.resolved_at) == (
        "resolved", BEGIN + 21 * MINUTE, BEGIN + 26 * MINUTE
    )  # fmt: skip
    assert [event for event, _, _ in looks.told()] == ["opened", "resolved"]


def test_a_moment_is_no_alert(pool: Pool) -> None:
    """A restart of half a minute wakes somebody up."""
    looks = Looks(pool)
    looks.look(BEGIN, DISK)
    for at in over(BEGIN + 30 * SECOND, 300):
        looks.look(at)
    assert looks.told() == []
    with pool.connection() as connection:
        assert alerts.live(connection, BEGIN) == []


def test_events_are_told_at_once(pool: Pool) -> None:
    """A changed ledger that waits a minute to be believed."""
    looks = Looks(pool)
    looks.look(BEGIN, error("ledger_broken", "row 3 does not verify"))
    assert [event for event, _, _ in looks.told()] == ["opened"]


def test_a_training_is_no_alert(pool: Pool) -> None:
    """An alert each night because the processor works for five minutes; silence when it never ends."""
    looks = Looks(pool)
    busy = warning("cpu_high", "the processor is 100 % busy")
    for at in over(BEGIN, 14 * 60):
        looks.look(at, busy)
    assert looks.told() == []
    for at in over(BEGIN + 14 * MINUTE, 120):
        looks.look(at, busy)
    assert looks.told() == [("opened", "warning", BEGIN + 15 * MINUTE)]


FLAPS: list[tuple[str, Callable[[int], bool]]] = [
    ("every look", lambda n: n % 2 == 0),
    ("every minute", lambda n: n % 4 < 2),
    ("every two minutes", lambda n: n % 8 < 4),
    ("at random", lambda n: random.Random(n).random() < 0.5),
]


@pytest.mark.parametrize(("name", "bad"), FLAPS, ids=[name for name, _ in FLAPS])
def test_flapping_for_ten_minutes_is_one_message(pool: Pool, name: str, bad: Callable[[int], bool]) -> None:
    """A phone that rings all night because a disk is at the limit."""
    looks = Looks(pool)
    for n, at in enumerate(over(BEGIN, 600)):
        looks.look(at, *([DISK] if bad(n) else []))
    assert [event for event, _, _ in looks.told()] == ["opened"]
    assert len(looks.alerts()) == 1


def test_flapping_between_warning_and_error_is_two_messages(pool: Pool) -> None:
    """Each time that it crosses the line between bad and worse."""
    looks = Looks(pool)
    for n, at in enumerate(over(BEGIN, 600)):
        looks.look(at, DISK if (n // 3) % 2 else TIGHT)
    assert [(event, severity) for event, severity, _ in looks.told()] == [
        ("opened", "warning"),
        ("escalated", "error"),
    ]


def test_no_flapping_of_any_kind_is_more_than_five_messages_in_ten_minutes(pool: Pool) -> None:
    """The worst that can be thought of: bad just long enough, good just long enough; and at random for a day."""
    looks = Looks(pool)
    rng, at, state = random.Random(5), BEGIN, False
    worst = 0
    while at < BEGIN + 12 * HOUR:
        state = not state
        for _ in range(rng.choice((1, 2, 3, 4, 11, 12, 21, 41))):
            looks.look(at, *([rng.choice((DISK, TIGHT))] if state else []))
            at += 30 * SECOND
    times = [when for _, _, when in looks.told()]
    for begin in times:
        worst = max(worst, sum(begin <= when < begin + 10 * MINUTE for when in times))
    assert 2 <= worst <= 5
    assert len(times) <= 12 * 6


def test_a_flapper_must_be_calm_for_longer_each_time(pool: Pool) -> None:
    """Six messages an hour, every hour, because it comes and goes every five minutes."""
    looks = Looks(pool)
    at, calm = BEGIN, []
    for expected in (5, 10, 20, 40, 60, 60):
        for _ in range(4):
            looks.look(at, DISK)
            at += 30 * SECOND
        began = at
        while looks.alerts()[-1].state != "resolved":
            looks.look(at)
            at += 30 * SECOND
        calm.append((at - 30 * SECOND - began) / MINUTE)
        assert calm[-1] == expected
    assert len(looks.told()) == 12


def test_reminders_stop_once_somebody_takes_care(pool: Pool) -> None:
    """An open alert that is forgotten; one that nags who is working on it; silence when it gets worse."""
    looks = Looks(pool, remind_hours=1)
    for at in over(BEGIN, 3 * 3600, 300):
        looks.look(at, TIGHT)
    assert [event for event, _, _ in looks.told()] == ["opened"]
    for at in over(BEGIN + 3 * HOUR, 4 * 3600, 300):
        looks.look(at, TIGHT)
    assert [event for event, _, _ in looks.told()] == ["opened", "reminder"]
    [alert] = looks.alerts()
    with pool.connection() as connection:
        taken = alerts.acknowledge(connection, alert.id, "somebody")
        again = alerts.acknowledge(connection, alert.id, "another")
    assert taken is not None
    assert again is not None
    assert (taken.state, again.acknowledged_by) == ("acknowledged", "somebody")
    for at in over(BEGIN + 7 * HOUR, 24 * 3600, 600):
        looks.look(at, TIGHT)
    assert len(looks.told()) == 2
    looks.look(BEGIN + 31 * HOUR, DISK)
    assert looks.told()[-1][:2] == ("escalated", "error")
    assert looks.alerts()[0].state == "open"
    for at in over(BEGIN + 31 * HOUR + MINUTE, 7200, 300):
        looks.look(at, DISK)
    assert [event for event, _, _ in looks.told()][3:] == ["reminder"]
    for at in over(BEGIN + 34 * HOUR, 600):
        looks.look(at)
    with pool.connection() as connection:
        assert alerts.acknowledge(connection, alert.id, "late") is None


def test_an_error_that_is_only_a_warning_now(pool: Pool) -> None:
    """A disk that is half mended and wakes somebody up every four hours with the words of a warning."""
    looks = Looks(pool)
    for at in over(BEGIN, 300):
        looks.look(at, DISK)
    for at in over(BEGIN + 5 * MINUTE, 240):
        looks.look(at, TIGHT)
    assert looks.alerts()[0].severity == "error"
    for at in over(BEGIN + 9 * MINUTE, 120):
        looks.look(at, TIGHT)
    assert looks.alerts()[0].severity == "warning"
    assert [event for event, _, _ in looks.told()] == ["opened"]
    for at in over(BEGIN + 11 * MINUTE, 10 * 3600, 300):
        looks.look(at, TIGHT)
    assert [event for event, _, _ in looks.told()] == ["opened"]
    looks.look(BEGIN + 11 * HOUR, DISK)
    assert looks.told()[-1][:2] == ("escalated", "error")


def test_who_has_nobody_to_tell_leaves_it_to_others(pool: Pool) -> None:
    """A web process without channels opens the alert, and the worker that has some says nothing any more."""
    looks = Looks(pool)
    for at in over(BEGIN, 120):
        looks.look(at, TIGHT, channels=())
    [alert] = looks.alerts()
    assert (alert.state, alert.told) == ("open", 0)
    looks.look(BEGIN + 2 * MINUTE, TIGHT)
    looks.look(BEGIN + 3 * MINUTE, DISK, channels=())
    looks.look(BEGIN + 4 * MINUTE, DISK)
    looks.look(BEGIN + 5 * HOUR, DISK, channels=())  # a reminder is due, and nobody here can be reminded
    looks.look(BEGIN + 5 * HOUR + MINUTE, DISK)
    for n, at in enumerate(over(BEGIN + 5 * HOUR + 2 * MINUTE, 420)):
        looks.look(at, channels=("json-abc123",) if n % 2 else ())
    assert [(event, severity) for event, severity, _ in looks.told()] == [
        ("opened", "warning"), ("escalated", "error"), ("reminder", "error"), ("resolved", "error"),
    ]  # fmt: skip


def test_what_was_told_to_nobody_is_not_said_to_be_over(pool: Pool) -> None:
    """Somebody hears that something is resolved of which he never heard; an alert that waits for ever to be told."""
    looks = Looks(pool)
    for at in over(BEGIN, 180):
        looks.look(at, DISK, channels=())
    for at in over(BEGIN + 3 * MINUTE, 420):
        looks.look(at)
    assert looks.told() == []
    assert [a.state for a in looks.alerts()] == ["resolved"]


def test_who_never_knows_anybody_ends_it_all_the_same(pool: Pool) -> None:
    """The channels were taken away while an alert was open."""
    looks = Looks(pool)
    for at in over(BEGIN, 180):
        looks.look(at, DISK)
    for at in over(BEGIN + 3 * MINUTE, 1200):
        looks.look(at, channels=())
    assert [a.state for a in looks.alerts()] == ["resolved"]


def test_what_nobody_looked_at_did_not_last(pool: Pool) -> None:
    """One look before the night, the next one in the morning, and a moment becomes an alert of eight hours."""
    looks = Looks(pool)
    looks.look(BEGIN, DISK)
    for at in over(BEGIN + 8 * HOUR, 300):
        looks.look(at)
    assert looks.told() == []
    hung = error("store_away", "it hung")
    found = Finding(hung.rule, hung.severity, hung.message, hung.remedy, "", BEGIN - HOUR)
    with pool.connection() as connection:
        report = Report({name: Checked("") for name in CHECKS}, BEGIN + 9 * HOUR, 1.0, "test").since(None)
        keep(connection, report, LIMITS, ["json-abc123"], [Missed(found, BEGIN - HOUR)])
    assert looks.told() == []


def test_a_rule_that_only_newer_code_knows(pool: Pool) -> None:
    """A report of newer code, learned during a deploy, ends every look of the older one."""
    looks = Looks(pool)
    report = Report(
        {"new": Checked("", (Finding("new_rule", Status.ERROR, "it is so", "See."),))}, BEGIN, 1.0, "newer"
    ).since(None)
    with pool.connection() as connection:
        keep(connection, report, LIMITS, ["json-abc123"])
    assert looks.told() == []


def test_an_alert_of_a_rule_that_is_no_more(pool: Pool) -> None:
    """An alert that no code knows any more stays open for ever."""
    looks = Looks(pool)
    with pool.connection() as connection:
        alerts.begin(connection, "gone_rule", "", "error", "it was", "", BEGIN, BEGIN, opened=True)
    for at in over(BEGIN, 420):
        looks.look(at)
    assert [a.state for a in looks.alerts()] == ["resolved"]


def test_no_look_is_no_proof_that_it_is_over(pool: Pool) -> None:
    """An alert that is resolved because the check that found it cannot look any more."""
    looks = Looks(pool)
    for at in over(BEGIN, 300):
        looks.look(at, DISK)
    for at in over(BEGIN + 5 * MINUTE, 3600):
        looks.look(at, blind=["resources"])
    assert [a.state for a in looks.alerts()] == ["open"]
    for at in over(BEGIN + 70 * MINUTE, 301):
        looks.look(at)
    assert [a.state for a in looks.alerts()] == ["resolved"]


def test_what_was_over_before_it_could_be_written(pool: Pool) -> None:
    """An outage of the database that leaves no trace, a second that leaves one; two processes that write the same."""
    away = error("database_away", "the database does not answer")
    first, second = Looks(pool), Looks(pool)
    since = Finding(away.rule, away.severity, away.message, away.remedy, "", BEGIN - 2 * MINUTE)
    brief = Finding(away.rule, away.severity, away.message, away.remedy, "brief", BEGIN - 5 * SECOND)
    first.look(BEGIN, lost=[since, brief])
    second.look(BEGIN + 2 * SECOND, lost=[since])
    [alert] = first.alerts()
    assert (alert.state, alert.since, alert.subject) == ("open", BEGIN - 2 * MINUTE, "")
    assert "(from 11:58:00 to 12:00:00 UTC, 2 minutes)" in alert.message
    for at in over(BEGIN + MINUTE, 331):
        first.look(at)
    assert [event for event, _, _ in first.told()] == ["opened", "resolved"]
    second.look(BEGIN + 8 * MINUTE, lost=[since])
    assert len(first.alerts()) == 1


def test_quiet_hours_hold_warnings_and_no_errors(pool: Pool) -> None:
    """A warning at three in the morning; an error that waits for breakfast."""
    looks = Looks(pool, quiet="22:00-07:00 Europe/Berlin")
    night = dt.datetime(2026, 11, 25, 2, 0, tzinfo=dt.UTC)
    for at in over(night, 120):
        looks.look(at, TIGHT, error("no_workers", "nobody works"))
    with pool.connection() as connection:
        rows = connection.execute(
            "select payload #>> '{notice,alert,severity}', next_at from outbox order by id"
        ).fetchall()
    assert sorted(rows) == [
        ("error", night + MINUTE), ("warning", dt.datetime(2026, 11, 25, 6, 0, tzinfo=dt.UTC)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("quiet", "moment", "until"),
    [
        ("22:00-07:00", "2026-11-25T21:59:59Z", None),
        ("22:00-07:00", "2026-11-25T22:00:00Z", "2026-11-26T07:00:00Z"),
        ("22:00-07:00", "2026-11-26T06:59:00Z", "2026-11-26T07:00:00Z"),
        ("22:00-07:00", "2026-11-26T07:00:00Z", None),
        ("12:00-13:30", "2026-11-26T12:30:00Z", "2026-11-26T13:30:00Z"),
        ("22:00-07:00 Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25T06:00:00Z"),
        (None, "2026-11-25T23:00:00Z", None),
    ],
)
def test_when_quiet_hours_end(quiet: str | None, moment: str, until: str | None) -> None:
    """Midnight, the change of the clocks, an end that is begun."""
    found = HealthSettings.model_validate({"quiet": quiet}).quiet_until(dt.datetime.fromisoformat(moment))
    assert found == (dt.datetime.fromisoformat(until) if until else None)


def test_status_and_since_of_a_check() -> None:
    """Since the last look instead of since it began; a second fault that hides when the first began."""
    one = Report({"resources": Checked("", (TIGHT,))}, BEGIN, 1.0, "a").since(None)
    two = Report({"resources": Checked("", (TIGHT, error("cpu_high", "busy")))}, BEGIN + MINUTE, 1.0, "a").since(one)
    three = Report({"resources": Checked("", (TIGHT,))}, BEGIN + 2 * MINUTE, 1.0, "a").since(two)
    assert [r.checks["resources"].since for r in (one, two, three)] == [BEGIN, BEGIN + MINUTE, BEGIN + 2 * MINUTE]
    assert [r.checks["resources"].findings[0].since for r in (one, two, three)] == [BEGIN] * 3
    assert two.status is Status.ERROR
    assert Report({}, BEGIN, 1.0, "a").status is Status.HEALTHY
