"""Deliver what waits in the outbox: at least once, each with its id so that receivers can tell."""

from __future__ import annotations

from typing import Any

import httpx

from tipoff.jobs.work import Work
from tipoff.storage import outbox
from tipoff.storage.outbox import Message

AT_MOST = 500
"""messages a job"""
RESERVE = 20.0
"""seconds that one delivery may take with its transaction"""


def outbox_delivery(work: Work) -> dict[str, Any]:
    """One message a transaction, so that a killed job repeats one delivery at most."""
    done = {"delivered": 0, "failed": 0}
    with httpx.Client(timeout=httpx.Timeout(10.0, connect=5.0), headers={"User-Agent": "Tipoff"}) as client:
        for _ in range(AT_MOST):
            if work.seconds_left < RESERVE:
                break
            with work.pool.connection() as connection, connection.transaction():
                message = outbox.take(connection)
                if message is None:
                    break
                error, final = _deliver(client, message)
                if error is None:
                    outbox.delivered(connection, message)
                else:
                    outbox.failed(connection, message, error, final)
                    print(f"message {message.id} ({message.kind}): {error}")  # noqa: T201 - the job's log
                done["delivered" if error is None else "failed"] += 1
    work.message = f"{done['delivered']} messages delivered, {done['failed']} failed"
    return done


def _deliver(client: httpx.Client, message: Message) -> tuple[str | None, bool]:
    """(what went wrong or None, whether another try is pointless)."""
    if message.kind != "webhook":
        return f"nobody delivers messages of kind {message.kind!r}", True
    try:
        answer = client.post(
            str(message.payload["url"]), json=message.payload.get("body"),
            headers={"Tipoff-Message-Id": str(message.id)},
        )  # fmt: skip
    except KeyError:
        return "a webhook needs a url", True
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: {error}", isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol)
    if answer.is_success:
        return None, False
    return f"HTTP {answer.status_code}", answer.status_code in (400, 401, 403, 404, 405, 410, 413, 422)
