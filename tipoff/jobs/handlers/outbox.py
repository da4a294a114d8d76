"""Deliver what waits in the outbox: at least once, each with its id so that receivers can tell."""

from __future__ import annotations

from typing import Any

import httpx

from tipoff.jobs.work import Work
from tipoff.storage import outbox
from tipoff.storage.outbox import Message

AT_MOST = 500
"""messages a job"""
PATIENCE = 10.0
"""seconds that a receiver has to answer"""


def outbox_delivery(work: Work) -> dict[str, Any]:
    """Each message is taken, sent, and noted, so that a killed job repeats one delivery at most."""
    done = {"delivered": 0, "failed": 0}
    with httpx.Client(timeout=httpx.Timeout(PATIENCE, connect=5.0), headers={"User-Agent": "Tipoff"}) as client:
        for _ in range(AT_MOST):
            if work.seconds_left < 3 * PATIENCE:
                break
            with work.pool.connection() as connection:
                message = outbox.take(connection)
            if message is None:
                break
            error, final = _deliver(client, message)
            with work.pool.connection() as connection:
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
        with client.stream(
            "POST", str(message.payload["url"]), json=message.payload.get("body"),
            headers={"Tipoff-Message-Id": str(message.id)},
        ) as answer:  # fmt: skip
            pass  # its status is all that is wanted: a body that never ends is not waited for
    except KeyError:
        return "a webhook needs a url", True
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: {error}", isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol)
    if answer.is_success:
        return None, False
    return f"HTTP {answer.status_code}", answer.status_code in (400, 401, 403, 404, 405, 410, 413, 422)
