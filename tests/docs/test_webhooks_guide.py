"""The receivers' ten lines in docs/webhooks.md do what they say, on real deliveries."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.delivery import SECRET, hook, round_of, tell
from tests.integration.conftest import application_dsn, dsn, pool, server, template
from tests.jobs import ROOT
from tests.receiver import Got, Receiver
from tipoff.storage.pool import Pool

__all__ = ["application_dsn", "dsn", "pool", "server", "template"]
GUIDE = (ROOT / "docs" / "webhooks.md").read_text()
SNIPPETS = dict(re.findall(r"```(python|javascript)\n(.*?)```", GUIDE, re.DOTALL))
AROUND = {
    "python": """
import json, sys
for case in json.load(sys.stdin):
    print(json.dumps(genuine(case["headers"], case["body"].encode(), case["secret"])))
""",
    "javascript": """
import { readFileSync } from "node:fs";
for (const one of JSON.parse(readFileSync(0, "utf8"))) {
  const headers = Object.fromEntries(Object.entries(one.headers).map(([name, value]) => [name.toLowerCase(), value]));
  console.log(JSON.stringify(genuine(headers, Buffer.from(one.body), one.secret)));
}
""",
}
PROGRAMS = {"python": [sys.executable, "-c"], "javascript": ["node", "--input-type=module", "-e"]}


def delivered(pool: Pool, age: float) -> Got:
    """A real delivery, made that many seconds ago."""
    with Receiver() as receiver:
        made = hook(pool, receiver, "ops")
        now = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age)
        tell(pool, 1, now=now)
        round_of(pool, now)
        with pool.connection() as connection:
            connection.execute("delete from webhooks where id = %s", (made.id,))
        [got] = receiver.got
        return got


@pytest.mark.parametrize("language", PROGRAMS)
def test_the_ten_lines_tell_genuine_from_forged(pool: Pool, language: str) -> None:
    """An example that never worked, or that accepts what was changed or is old."""
    if shutil.which(PROGRAMS[language][0]) is None:
        pytest.skip(f"{PROGRAMS[language][0]} is not here")
    good, stale, ahead = delivered(pool, 0), delivered(pool, 400), delivered(pool, -400)
    body = good.body.decode()
    cases = [
        (good.headers, body, SECRET, True),
        (delivered(pool, 200).headers, body, SECRET, False),
        (good.headers, body.replace("opened", "closed"), SECRET, False),
        (good.headers, body + " ", SECRET, False),
        (good.headers, body, "another secret of 16", False),
        (stale.headers, stale.body.decode(), SECRET, False),
        (ahead.headers, ahead.body.decode(), SECRET, False),
        ({**stale.headers, "Tipoff-Timestamp": good.headers["Tipoff-Timestamp"]}, stale.body.decode(), SECRET, False),
        ({}, body, SECRET, False),
        ({**good.headers, "Tipoff-Signature": "v1=short"}, body, SECRET, False),
        ({**good.headers, "Tipoff-Timestamp": "soon"}, body, SECRET, False),
    ]
    asked = [{"headers": dict(headers), "body": text, "secret": secret} for headers, text, secret, _ in cases]
    done = subprocess.run(
        [*PROGRAMS[language], SNIPPETS[language] + AROUND[language]],
        input=json.dumps(asked), check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert [json.loads(line) for line in done.stdout.splitlines()] == [expected for *_, expected in cases]


def test_the_snippets_have_ten_lines() -> None:
    """Ten lines that have become thirty."""
    for language in PROGRAMS:
        assert len([line for line in SNIPPETS[language].splitlines() if line.strip()]) <= 10
