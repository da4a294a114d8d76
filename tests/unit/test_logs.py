"""The log: one line an event, and no secret in it, wherever it hides."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tipoff.logs import Redactor
from tipoff.settings import Settings

SECRET = 's3c"ret\\/ü'


def logged(code: str, form: str = "json") -> subprocess.CompletedProcess[str]:
    """What a process of its own writes."""
    begin = f"import logging, structlog\nfrom tipoff import logs\nlogs.configure([{SECRET!r}], {form!r})\n"
    begin += f"logs.log_crashes()\nSECRET = {SECRET!r}\nlog = structlog.get_logger('here')\n"
    return subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, check=False)


def lines(code: str) -> list[dict[str, Any]]:
    """Its events."""
    return [json.loads(line) for line in logged(code).stdout.splitlines()]


def test_a_secret_is_found_wherever_it_is() -> None:
    """A secret in a key, a list, an object's own words, a trace, another spelling."""
    code = """
class Thing:
    def __repr__(self): return f'<{SECRET}>'
    __str__ = __repr__
log.info(f'said {SECRET}', a=[{'b': SECRET, SECRET: 1}], c=Thing(), d=SECRET.encode())
import base64, urllib.parse
log.info('spelled', b=base64.b64encode(SECRET.encode()).decode(), q=urllib.parse.quote(SECRET, safe=''))
try:
    raise ValueError(SECRET)
except ValueError:
    log.exception('failed')
logging.getLogger('library').warning('it said %s', SECRET)
"""
    done = logged(code)
    assert done.stdout.count("***") >= 9
    first, spelled, failed, library = [json.loads(line) for line in done.stdout.splitlines()]
    assert first["event"] == "said ***"
    assert first["a"] == [{"b": "***", "***": 1}]
    assert (spelled["b"], spelled["q"]) == ("***=", "***")
    assert "ValueError: ***" in failed["exception"]
    assert (library["event"], library["logger"], library["level"]) == ("it said ***", "library", "warning")
    assert all({"event", "level", "timestamp"} <= set(json.loads(line)) for line in done.stdout.splitlines())
    assert "s3c" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "code", ["raise KeyError(SECRET)", "import threading\nthreading.Thread(target=lambda: 1 / 0).start()"]
)
def test_what_ends_a_process_is_an_event(code: str) -> None:
    """A trace over thirty lines that no log store can read, with a password in it."""
    done = logged(code)
    [event] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (event["event"], event["level"]) == ("this process fails", "critical")
    assert "Traceback" in event["exception"]
    assert "s3c" not in done.stdout + done.stderr


def test_sentences_are_for_people() -> None:
    """A terminal full of braces; what a job printed, said twice."""
    done = logged("log.info('it runs', worker='w', job_id='j', color=SECRET)\nlog.info('output', line='x')", "text")
    assert (done.stdout, done.stderr) == ("", "it runs color=***\n")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://me:pass@host/name", "postgresql://***@host/name"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("key sb_secret_abc-1 here", "key *** here"),
        ("tipoff_" + "a" * 43, "***"),
        ("authorization: BEARER abc", "authorization: BEARER ***"),
        ("bearer\tabc", "bearer\t***"),
        ("https://token@host/a?b=c", "https://***@host/a?b=c"),
        ("postgresql://user:p@ss@host/name?x=1", "postgresql://***@host/name?x=1"),
        ("postgresql://user:p/s?s@host/name", "postgresql://***@host/name"),
        ("https://user:pass@host/a?to=me@there", "https://***@host/a?to=me@there"),
        ("GET https://host/a?b=c&api_key=abc&d=e", "GET https://host/a?b=c&api_key=***&d=e"),
        ("'https://host/?apikey=a%20b'", "'https://host/?apikey=***'"),
        ("/a?token=abc#top", "/a?token=***#top"),
        ("/a?Access_Token=a.b-c", "/a?Access_Token=***"),
        ("https://host/back#access_token=abc&state=1", "https://host/back#access_token=***&state=1"),
        ("/a?password=a&secret=b&key=c&x=d", "/a?password=***&secret=***&key=***&x=d"),
        ("/a?client_secret=a&apiKey=b", "/a?client_secret=***&apiKey=***"),
        ("host=h password=p&ss user=me", "host=h password=*** user=me"),
        ("host=h password = 'it\\'s me' user=me", "host=h password = *** user=me"),
        (r"'host=h password=\'it is\' user=me'", "'host=h password=*** user=me'"),
        (r"password=it\ is user=me", "password=*** user=me"),
        ("password='it is cut off", "password=***"),
        ("PGPASSWORD=abc psql", "PGPASSWORD=*** psql"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
        ("{'authorization': 'basic dTpwdw=='}", "{'authorization': 'basic ***'}"),
        ("Basic OnBhc3N3b3Jk and on", "Basic *** and on"),
        ("Basic w7xzZXI6cMOkc3N3b3Jk", "Basic ***"),
        ("it sent eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYSJ9.c2ln-_a, twice", "it sent ***, twice"),
        ("jwt=eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYSJ9.", "jwt=***."),
        (f"secret {'whsec_' + 'aB-_' * 10}.", "secret ***."),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, hidden: str) -> None:
    """A secret of somebody else."""
    redactor = Redactor([])
    assert redactor.suspects(text)
    assert redactor.suspects(json.dumps({"event": text}))
    assert redactor.text(text) == hidden
    assert redactor.text(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "tipoff_app and tipoff_jobs, https://host/a:b",
        "job 12 begins key=refresh token=3 secret=no",
        "the figures are those of key=refresh & token=3",
        "https://host/a?keys=1&tokens=2&keyed=3&x=key",
        "https://host:8000/a/b?c=d and https://host/@name/post, mail me@host",
        "password authentication failed for user tipoff_app",
        "a basic forecast, Basic Authentication, basic Operations, basic key=refresh, basic \u212alondike",
        "eyJ, eyJa.b and whsec_... are how they begin",
        "step fetch: 120 matches of 2026-03-05 read in 1.2 s",
    ],
)
def test_harmless_words_stay(text: str) -> None:
    """A sentence that loses half its words."""
    assert Redactor(["a secret"]).text(text) == text


def test_most_lines_are_not_taken_apart() -> None:
    """A log that costs more than what it tells of."""
    line = json.dumps({"event": "GET /api/matches/M77 answered 200", "job_type": "data_pipeline", "key": "refresh"})
    assert not Redactor(["a secret"]).suspects(line)


def test_settings_know_all_their_secrets() -> None:
    """A secret that is set and that nobody hides."""
    address = "postgresql://me:p%40ss@host/name"
    found = Settings(
        _env_file=None, DATABASE_URL=address, TIPOFF_OWNER_DATABASE_URL="host=h password='it is'",
        TIPOFF_H2H_2025_TOKEN="token", TIPOFF_H2H_2025_TOKEN_COMMAND="command", OPERATOR_API_KEY="k" * 20,
        SUPABASE_SERVICE_ROLE_KEY="service",
    ).secrets()  # type: ignore[call-arg]  # fmt: skip
    wanted = {address, "p%40ss", "p@ss", "it is", "token", "command", "k" * 20, "service"}
    assert set(found) == wanted | {"host=h password='it is'"}
