"""Deliver what waits in the outbox."""

from __future__ import annotations

from typing import Any

from tipoff.delivery.channels import channels
from tipoff.delivery.deliver import deliver, sender
from tipoff.delivery.webhook import PATIENCE
from tipoff.jobs.work import Work


def outbox_delivery(work: Work) -> dict[str, Any]:
    """What is due is sent, at least once; a channel that fails is left for the next job."""
    send = sender(work.pool, channels(work.settings.alert_urls), allow_private=work.settings.webhooks_private)
    done = deliver(work.pool, send, more=lambda: work.seconds_left > 3 * PATIENCE, say=print)
    work.message = f"{done['delivered']} messages delivered, {done['failed']} failed"
    return done
