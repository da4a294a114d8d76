"""Deliver through Apprise. Imported in the process of the delivering job alone: it is large, and sees the secrets."""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
import urllib.parse
import warnings

import apprise
from apprise.manager_plugins import NotificationManager

from tipoff.delivery.notice import Notice, words
from tipoff.storage.outbox import Tried

PATIENCE = 10.0
LOCAL = ("macosx", "windows", "dbus", "qt", "kde", "glib", "gio", "gnome", "blink1", "syslog")
"""plugins that start programs or use this machine instead of the network"""
with warnings.catch_warnings():  # some plugins ask for libraries of which the interpreter says that they are old
    warnings.simplefilter("ignore", DeprecationWarning)
    NotificationManager().disable(*LOCAL)  # type: ignore[no-untyped-call] # loads them all first
ASSET = apprise.AppriseAsset(
    app_id="Tipoff", app_desc="Tipoff", app_url="", plugin_paths=[], storage_mode="memory", secure_logging=True,
    allow_templates=False, async_mode=False,
)  # fmt: skip
KINDS = {"resolved": apprise.NotifyType.SUCCESS, "test": apprise.NotifyType.INFO}
STATUS = re.compile(r"error=(\d{3})\b")
LONGEST_ERROR = 300


class Heard(logging.Handler):
    """What Apprise logs in one thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread, self.lines = threading.get_ident(), list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of this thread."""
        if record.thread == self.thread:
            self.lines.append(record.getMessage())


def deliver(url: str, notice: Notice, attempt: int, patience: float = PATIENCE) -> Tried:
    """Tell the notice through the channel of that address; what came of it, said without the address.

    Apprise's own limits are for each read: the whole is cut off here, and whoever hangs is left behind.
    """
    begun = time.monotonic()
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_sent(url, notice, attempt)), daemon=True).start()
    try:
        said = answers.get(timeout=patience)
    except queue.Empty:
        said = f"no end within {patience:g} s"
    found = STATUS.findall(said)
    return Tried(
        without(url, said)[:LONGEST_ERROR], int(found[-1]) if found else None, 1000 * (time.monotonic() - begun),
        answered=bool(found),
    )  # fmt: skip


def _sent(url: str, notice: Notice, attempt: int) -> str:
    """What went wrong; empty where nothing did."""
    heard, logger = Heard(), logging.getLogger("apprise")
    logger.addHandler(heard)
    try:
        service = apprise.Apprise.instantiate(url, asset=ASSET, suppress_exceptions=True)
        if service is None:
            return "Apprise does not take this address: " + " ".join(heard.lines)
        title, body = words(notice, attempt)
        kind = KINDS.get(
            notice.event, apprise.NotifyType.FAILURE if notice.severity == "error" else apprise.NotifyType.WARNING
        )
        if service.notify(body=body, title=title, notify_type=kind):
            return ""
        return " ".join(heard.lines) or "Apprise says that it failed, and no more"
    except Exception as error:  # noqa: BLE001 - a plugin that fails is a failed delivery
        return f"{type(error).__name__}: {error}"
    finally:
        logger.removeHandler(heard)


def without(url: str, text: str) -> str:
    """The text without anything that stands in the address after its scheme."""
    rest = url.partition("://")[2]
    parts = {one for one in re.split(r"[/?&=:@,#]+", rest) if len(one) > 3}
    for secret in sorted({url, rest, *parts, *map(urllib.parse.unquote, parts)}, key=len, reverse=True):
        if secret:
            text = text.replace(secret, "***")
    return text
