"""Words for people, names of channels, and where their addresses go."""

from __future__ import annotations

import dataclasses

import pytest

from tests.delivery import T0, notice
from tipoff.delivery.channels import channels
from tipoff.delivery.notice import Event, from_json, words
from tipoff.errors import InputError
from tipoff.jobs.deployment import Deployment
from tipoff.jobs.types import BUILT_IN, Secret
from tipoff.reading import read_settings
from tipoff.settings import Settings

URLS = "tgram://123456:token-of-the-tests/chat\n  mailto://me:word,of:the@example.com  tgram://123456:token-of-the-tests/chat"


def test_a_notice_is_told_in_words() -> None:
    """An alert that does not say what to do, or since when."""
    title, body = words(notice())
    assert title == "Tipoff ERROR: no_workers - number 1"
    assert body.split("\n") == [
        "number 1", "What to do: start a worker", "Since 2026-11-25 12:00 UTC; told 2026-11-25 12:00 UTC.",
        "Alert 1.",
    ]  # fmt: skip
    assert words(notice(), attempt=3)[1].endswith("This is attempt 3 to deliver it: it may be a repeat.")


@pytest.mark.parametrize(
    ("event", "title"),
    [
        ("escalated", "Tipoff WARNING (worse than before): stale (rows) - old"),
        ("reminder", "Tipoff WARNING (reminder): stale (rows) - old"),
        ("resolved", "Tipoff RESOLVED: stale (rows) - old"),
        ("test", "Tipoff TEST: stale (rows) - old"),
    ],
)
def test_the_title_says_what_happened(event: Event, title: str) -> None:
    """A resolved alert that reads like a new one."""
    one = dataclasses.replace(
        notice(), alert_id=None, event=event, rule="stale", subject="rows", severity="warning", message="old"
    )
    assert words(one)[0] == title
    assert "Alert" not in words(one)[1]
    assert ("What to do" in words(one)[1]) == (event != "resolved")


def test_a_title_is_one_short_line() -> None:
    """A header that a mail server does not take."""
    title, _ = words(dataclasses.replace(notice(), message="a\r\nBcc: x\n" + "long " * 100))
    assert len(title) == 200
    assert title.isprintable()


def test_json_and_back() -> None:
    """A field that is lost on the way through the outbox."""
    for one in (notice(), dataclasses.replace(notice(), alert_id=None, subject="x", since=T0.astimezone())):
        assert from_json(one.as_json()) == one
    assert notice().as_json()["at"] == "2026-11-25T12:00:00Z"


def test_channels_have_names_that_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address in a representation, or a name that changes with the order."""
    monkeypatch.setenv("TIPOFF_ALERT_URLS", URLS)
    first, second = channels(Settings().alert_urls)
    assert first.name.startswith("tgram-")
    assert len(first.name) == len("tgram-1a2b3c")
    assert second.url == "mailto://me:word,of:the@example.com"
    assert "token-of" not in f"{first} {Settings()!r}"
    monkeypatch.setenv("TIPOFF_ALERT_URLS", '["mailto://me:word,of:the@example.com"]')
    assert channels(Settings().alert_urls) == (second,)
    monkeypatch.setenv("TIPOFF_ALERT_URLS", " ")
    assert channels(Settings().alert_urls) == ()


@pytest.mark.parametrize(
    "text", ["token-of-the-tests", "tgram://a/b token-of-the-tests", '["token-of-the-tests"', "[1]"]
)
def test_wrong_addresses_are_refused_without_repeating_them(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A secret in the message about it; also in what the error was raised from."""
    monkeypatch.setenv("TIPOFF_ALERT_URLS", text)
    with pytest.raises(InputError, match="TIPOFF_ALERT_URLS") as raised:
        read_settings()
    assert "token-of" not in f"{raised.value} {raised.value.__cause__}"


def test_only_the_delivering_job_is_handed_the_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that could send messages; a log line with one address of several."""
    monkeypatch.setenv("TIPOFF_ALERT_URLS", URLS)
    deployment = Deployment("host=x", "host=x", Settings())
    for job_type in BUILT_IN:
        given = deployment.environment(job_type.secrets).get("TIPOFF_ALERT_URLS")
        assert (given is not None) == (job_type.name == "outbox_delivery") == (Secret.ALERTS in job_type.secrets)
        assert given in (None, URLS)
    assert {"mailto://me:word,of:the@example.com", URLS} <= set(deployment.hidden())
