"""Messages reach their receivers at least once, in order, and say when they may be repeats."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.delivery import SECRET, T0, hook, minutes, notice, round_of, states, tell
from tests.jobs import ended, enqueue, eventually, workers
from tests.receiver import Receiver
from tests.web import free_port
from tipoff.delivery import apprise_channel
from tipoff.delivery.announce import announce
from tipoff.delivery.channels import Channel, name_of
from tipoff.storage import outbox, webhooks
from tipoff.storage.outbox import HOLDS_ANSWERED, KEEP_TRYING, UNHEARD, Tried
from tipoff.storage.pool import Pool


def numbers(receiver: Receiver) -> list[int]:
    """The alerts it was told of, in the order in which it was."""
    return [got.json["alert"]["id"] for got in receiver.got]


def apprise(url: str) -> Channel:
    """A channel of that address."""
    return Channel(name_of(url), url)


def test_messages_wait_in_the_outbox_with_their_transaction(pool: Pool) -> None:
    """An alert for something that never happened, or one that is lost."""
    with Receiver() as receiver:
        hook(pool, receiver)
        with contextlib.suppress(RuntimeError), pool.connection() as connection:
            announce(connection, [], notice())
            raise RuntimeError
        assert round_of(pool) == {"delivered": 0, "failed": 0}
        tell(pool, 1)
        assert round_of(pool) == {"delivered": 1, "failed": 0}
        assert round_of(pool) == {"delivered": 0, "failed": 0}
        [got] = receiver.got
        assert (got.json["attempt"], got.json["may_be_a_repeat"], got.json["event"]) == (1, False, "opened")
        assert got.json["alert"] == notice().as_json()["alert"]
        assert "Tipoff-May-Be-A-Repeat" not in got.headers
        assert SECRET not in str(got)


def test_nothing_is_lost_while_a_channel_is_down_for_an_hour(pool: Pool) -> None:
    """Messages that are given up after half an hour, come in another order, or hold up other receivers."""
    with Receiver() as broken, Receiver() as well:
        hook(pool, broken, "broken")
        hook(pool, well, "well")
        broken.down()
        for minute in range(75):
            if minute < 60 and minute % 3 == 0:
                tell(pool, minute // 3, now=minutes(minute))
            if minute == 61:
                broken.up()
            round_of(pool, minutes(minute))
            assert numbers(well) == list(range(min(minute, 59) // 3 + 1)), "a dead channel held up a living one"
        round_of(pool, minutes(76))
        assert numbers(broken) == list(range(20))
        for got in broken.got:
            assert got.json["may_be_a_repeat"] == (got.json["attempt"] > 1)
            assert got.headers.get("Tipoff-May-Be-A-Repeat") == ("true" if got.json["attempt"] > 1 else None)
            assert got.headers["Tipoff-Attempt"] == str(got.json["attempt"])
    assert broken.got[0].json["attempt"] > 5
    assert all(delivered and not given_up for _, delivered, given_up, _ in states(pool))
    with pool.connection() as connection:
        [tries] = connection.execute("select count(*) from deliveries where channel = 'webhook:broken'").fetchall()
    assert tries[0] < 20 + 15, "it was tried far more often than the waits allow"


def test_an_apprise_channel_that_is_down_for_an_hour_loses_nothing(pool: Pool) -> None:
    """The same through Apprise, which says less about what went wrong."""
    with Receiver() as receiver:
        channel = apprise(f"json://me:word-of-the-tests@127.0.0.1:{receiver.port}/secret-path")
        receiver.down()
        tell(pool, 1, 2, 3, channels=(channel,), now=T0)
        for minute in range(0, 61, 5):
            round_of(pool, minutes(minute), (channel,))
        assert receiver.got == []
        receiver.up()
        for minute in range(61, 80, 5):
            round_of(pool, minutes(minute), (channel,))
        bodies = [got.json["message"] for got in receiver.got]
        assert [body.split("\n")[0] for body in bodies] == ["number 1", "number 2", "number 3"]
        assert "it may be a repeat" in bodies[0]
        assert receiver.got[0].json["title"] == "Tipoff ERROR: no_workers - number 1"
        assert receiver.got[0].json["type"] == "failure"
    with pool.connection() as connection:
        log = str(connection.execute("select * from deliveries").fetchall())
        stored = str(connection.execute("select * from outbox").fetchall())
    assert "Connection error" in log
    for secret in ("word-of-the-tests", "secret-path", str(receiver.port)):
        assert secret not in log + stored


def test_a_receiver_that_fails_after_it_has_received_sees_repeats_that_say_so(pool: Pool) -> None:
    """A repeat that looks like news."""
    with Receiver(lambda number: 500 if number < 3 else 200) as receiver:
        hook(pool, receiver)
        tell(pool, 1, now=T0)
        for minute in range(4):
            round_of(pool, minutes(minute))
        assert [got.headers["Tipoff-Message-Id"] for got in receiver.got] == [
            receiver.got[0].headers["Tipoff-Message-Id"]
        ] * 3
        assert [got.json["may_be_a_repeat"] for got in receiver.got] == [False, True, True]
        assert len({got.json["message_id"] for got in receiver.got}) == 1
    with pool.connection() as connection:
        tries = connection.execute("select attempt, ok, status, error from deliveries order by attempt").fetchall()
    assert tries == [(1, False, 500, "HTTP 500"), (2, False, 500, "HTTP 500"), (3, True, 200, "")]


def test_a_hundred_messages_for_a_dead_channel_cost_one_try_a_round(pool: Pool) -> None:
    """A job whose time is used up by one receiver that does not answer."""
    with Receiver() as dead, Receiver() as well:
        hook(pool, dead, "a dead one")
        hook(pool, well, "well")
        dead.down()
        tell(pool, *range(100), now=T0)
        assert round_of(pool, T0) == {"delivered": 100, "failed": 1}
        assert round_of(pool, T0) == {"delivered": 0, "failed": 0}
        assert round_of(pool, minutes(1)) == {"delivered": 0, "failed": 1}
        with pool.connection() as connection:
            connection.execute("update outbox set holds = false, attempts = 30 where delivered_at is null")
        assert round_of(pool, minutes(60)) == {"delivered": 0, "failed": 1}, "after a long time too"


def test_a_killed_delivery_is_repeated_and_says_so(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A message that is lost between its sending and the note of it; or one that is repeated as if it were new."""
    settings = {"TIPOFF_WEBHOOKS_PRIVATE": "true"}
    with Receiver() as receiver:
        hook(pool, receiver)
        tell(pool, 1, 2)
        receiver.open.clear()
        with workers(application_dsn, tmp_path, 1, "--no-schedules", **settings) as [worker]:
            enqueue(pool, "outbox_delivery")
            eventually(lambda: receiver.got, "the message to arrive")
            worker.signal(signal.SIGKILL, children=True)
            receiver.open.set()
        assert numbers(receiver) == [1]
        assert round_of(pool) == {"delivered": 0, "failed": 0}, "not yet: its sender may live"
        with pool.connection() as connection:
            [(now,)] = connection.execute("select clock_timestamp()").fetchall()
        assert round_of(pool, now + dt.timedelta(seconds=UNHEARD)) == {"delivered": 2, "failed": 0}
        assert [(got.json["alert"]["id"], got.json["may_be_a_repeat"]) for got in receiver.got] == [
            (1, False), (1, True), (2, False),
        ]  # fmt: skip
    with pool.connection() as connection:
        tries = connection.execute("select attempt, ok, error from deliveries order by id").fetchall()
    assert [(attempt, ok) for attempt, ok, _ in tries] == [(1, False), (2, True), (1, True)]
    assert "no word of this attempt" in tries[0][2]


def test_the_job_alone_gets_the_addresses_and_shows_them_nowhere(
    pool: Pool, application_dsn: str, tmp_path: Path
) -> None:
    """A channel that only works in tests; an address in a log, a result or a table."""
    with Receiver() as receiver:
        good, bad = f"json://127.0.0.1:{receiver.port}/good-secret", f"json://127.0.0.1:{free_port()}/bad-secret"
        channels = (apprise(good), apprise(bad))
        tell(pool, 1, channels=channels)
        urls = f"{good} {bad}"
        with workers(application_dsn, tmp_path, 1, "--no-schedules", TIPOFF_ALERT_URLS=urls) as [worker]:
            done = ended(pool, enqueue(pool, "outbox_delivery"))
            said = worker.output
        assert done.result == {"delivered": 1, "failed": 1}
        assert len(receiver.got) == 1
    with pool.connection() as connection:
        stored = [connection.execute(f"select * from {table}".encode()).fetchall()
                  for table in ("outbox", "deliveries", "job_queue", "job_logs")]  # fmt: skip
    assert channels[1].name in str(stored), "the log does not say which channel failed"
    for secret in ("good-secret", "bad-secret"):
        assert secret not in str(stored) + said


def test_two_jobs_at_once_send_nothing_twice(pool: Pool) -> None:
    """A receiver that is woken twice by two workers; or two messages of a channel that overtake each other."""
    with Receiver() as receiver, Receiver() as other:
        hook(pool, receiver)
        hook(pool, other, "other")
        tell(pool, *range(30))
        both = threading.Barrier(2)

        def run() -> None:
            both.wait()
            while round_of(pool)["delivered"]:
                pass

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        round_of(pool)
        assert numbers(receiver) == list(range(30))
        assert numbers(other) == list(range(30))


def test_a_refusal_is_final_and_holds_up_nobody(pool: Pool) -> None:
    """A message that its receiver does not take, tried for three days before the next one."""
    with Receiver(lambda number: 422 if number == 1 else 200) as receiver:
        hook(pool, receiver)
        tell(pool, 1, 2, now=T0)
        assert round_of(pool, T0) == {"delivered": 1, "failed": 1}
        assert numbers(receiver) == [1, 2]
    assert states(pool) == [(1, False, True, "HTTP 422"), (1, True, False, "")]


def test_a_message_that_is_always_answered_with_an_error_lets_the_others_pass(pool: Pool) -> None:
    """One message that breaks its receiver, and silence from then on."""
    with Receiver() as receiver:
        receiver.status = lambda number: 500 if receiver.got[number - 1].json["alert"]["id"] == 1 else 200
        hook(pool, receiver)
        tell(pool, 1, 2, 3, now=T0)
        minute = 0
        while 2 not in numbers(receiver):
            minute += 1
            assert minute < 10, "it holds up the others"
            round_of(pool, minutes(minute))
        round_of(pool, minutes(30))
        assert Counter(numbers(receiver))[2] == Counter(numbers(receiver))[3] == 1
        assert Counter(numbers(receiver))[1] > HOLDS_ANSWERED
        assert [one for one in numbers(receiver) if one > 1] == [2, 3]


def test_it_is_given_up_after_three_days_and_stays_visible(pool: Pool) -> None:
    """A message that is tried for ever, or that vanishes without a trace; one that waited for a worker is tried."""
    with Receiver() as receiver:
        hook(pool, receiver)
        receiver.down()
        tell(pool, 1, now=T0 - 2 * KEEP_TRYING)
        round_of(pool, T0)
        for hours in range(1, 72):
            round_of(pool, minutes(60 * hours))
        [(attempts, _, given_up, _)] = states(pool)
        assert (attempts, given_up) == (72, False)
        round_of(pool, minutes(60 * 72))
        assert states(pool) == [(73, False, True, states(pool)[0][3])]
        assert "ConnectError" in str(states(pool)[0][3])
        receiver.up()
        round_of(pool, minutes(60 * 80))
        assert receiver.got == []


def test_a_message_that_ends_its_senders_is_given_up_too(pool: Pool) -> None:
    """An attempt that kills its process before it can be noted, for ever first in its channel."""
    with Receiver() as receiver, pool.connection() as connection:
        made = webhooks.add(connection, "ops", receiver.url, SECRET)
        outbox.put(connection, "webhook", made.channel, {}, now=T0)
        for hours in range(0, 72, 6):
            taken = outbox.take(connection, now=minutes(60 * hours))
            assert taken is not None
            assert taken.attempt == hours // 6 + 1
        assert outbox.take(connection, now=minutes(60 * 72)) is None
    assert states(pool) == [(12, False, True, outbox.NO_WORD.error)]


def test_what_is_held_until_morning_holds_up_nothing(pool: Pool) -> None:
    """A warning that waits for the end of the quiet hours, and an error that waits behind it."""
    with Receiver() as receiver:
        hook(pool, receiver)
        with pool.connection() as connection:
            announce(connection, [], notice(1), not_before=minutes(60), now=T0)
        tell(pool, 2, now=T0)
        round_of(pool, T0)
        assert numbers(receiver) == [2]
        round_of(pool, minutes(59))
        round_of(pool, minutes(60))
        assert numbers(receiver) == [2, 1]
        assert not receiver.got[1].json["may_be_a_repeat"]


def test_a_late_failure_does_not_undo_a_later_attempt(pool: Pool) -> None:
    """A sender that was frozen and says after a minute that its attempt failed, while another one is at it."""
    with pool.connection() as connection:
        outbox.put(connection, "apprise", "x", {}, now=T0)
        first = outbox.take(connection, now=T0)
        second = outbox.take(connection, now=minutes(2))
        assert first is not None
        assert second is not None
        outbox.note(connection, first, Tried("it froze", final=True), now=minutes(2))
        assert outbox.take(connection, now=minutes(2)) is None
        connection.commit()
        assert states(pool) == [(2, False, False, outbox.NO_WORD.error)]
        outbox.note(connection, second, Tried(), now=minutes(2))
    assert states(pool) == [(2, True, False, "")]


def test_what_cannot_be_delivered_is_given_up_at_once(pool: Pool) -> None:
    """Kinds of an earlier version, payloads that make no sense, webhooks that were removed."""
    with Receiver() as receiver:
        made = hook(pool, receiver)
        tell(pool, 1)
        with pool.connection() as connection:
            outbox.put(connection, "pigeon", "p", {})
            outbox.put(connection, "webhook", "w", {"url": receiver.url})
            outbox.put(connection, "apprise", "a", {"notice": {"alert": 5}})
            webhooks.remove(connection, made.id)
        assert round_of(pool) == {"delivered": 0, "failed": 3}
        assert receiver.got == []
    assert all(given_up for _, _, given_up, _ in states(pool))
    assert [str(error)[:20] for *_, error in states(pool)] == [
        "the webhook was remo", "nobody delivers mess", "this is no message t", "this is no message t",
    ]  # fmt: skip


def test_a_channel_that_this_worker_does_not_know_keeps_its_messages(pool: Pool) -> None:
    """Messages that are lost because one worker was started without the setting."""
    with Receiver() as receiver:
        channel = apprise(f"json://127.0.0.1:{receiver.port}/")
        tell(pool, 1, channels=(channel,), now=T0)
        assert round_of(pool, T0) == {"delivered": 0, "failed": 1}
        assert round_of(pool, minutes(1), (channel,)) == {"delivered": 1, "failed": 0}


def test_old_messages_go_with_their_tries(pool: Pool) -> None:
    """Two tables that only grow; or a message that is forgotten while it waits."""
    with Receiver() as receiver:
        hook(pool, receiver)
        tell(pool, 1, 2, now=T0)
        round_of(pool, T0)
        tell(pool, 3, now=T0)
        with pool.connection() as connection:
            assert outbox.forget(connection, 1, now=minutes(60 * 23)) == 0
            assert outbox.forget(connection, 1, now=minutes(60 * 25)) == 2
            assert connection.execute("select count(*) from deliveries").fetchall() == [(0,)]
            assert connection.execute("select count(*) from outbox").fetchall() == [(1,)]


def test_an_apprise_channel_that_hangs_is_left() -> None:
    """A job whose time is used up by one channel."""
    with Receiver() as receiver:
        receiver.open.clear()
        tried = apprise_channel.deliver(f"json://127.0.0.1:{receiver.port}/secret-path", notice(), 1, patience=0.3)
        assert (tried.error, tried.answered) == ("no end within 0.3 s", False)
        assert tried.milliseconds < 2000


def test_channels_at_the_same_time_do_not_hear_each_other() -> None:
    """The reason of one failure told of another; a success that is taken for a failure."""
    with Receiver(lambda _: 500) as failing, Receiver() as well:
        urls = [f"json://127.0.0.1:{one.port}/path-{one.port}" for one in (failing, well)] * 10
        urls += [f"form://127.0.0.1:{free_port()}/path"] * 10
        with ThreadPoolExecutor(8) as threads:
            tried = list(threads.map(lambda url: apprise_channel.deliver(url, notice(), 1), urls))
        for url, one in zip(urls, tried, strict=True):
            if url.startswith("form"):
                assert "sending Form" in one.error
                assert (one.status, one.answered) == (None, False)
            elif str(failing.port) in url:
                assert (one.status, one.answered) == (500, True)
                assert "path-" not in one.error
            else:
                assert one.error == ""


@pytest.mark.parametrize("url", ["macosx://", "syslog://", "dbus://", "gnome://", "windows://", "nonsense://xyz"])
def test_apprise_starts_no_program(pool: Pool, url: str) -> None:
    """A channel that runs something on the worker's machine."""
    channel = apprise(url)
    tell(pool, 1, channels=(channel,), now=T0)
    assert round_of(pool, T0, (channel,)) == {"delivered": 0, "failed": 1}
    assert "Apprise does not take this address" in str(states(pool)[0][3])
