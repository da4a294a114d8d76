"""The log: one event a line, as JSON or as a sentence, without secrets. Configured here alone."""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, TextIO
from urllib.parse import quote, quote_plus

import structlog
from structlog.typing import EventDict, WrappedLogger

Form = Literal["auto", "json", "text"]
HIDDEN = "***"
SHORTEST = 4
"""characters of a secret from which on it is looked for; a shorter one would hide half of every sentence"""
OUTPUT = "output"
"""the event of a line that a job's process wrote"""
SAID = {"worker", "job_id", "job_type", "attempt", "request_id", "outcome", "seconds", "error", "level", "timestamp"}
"""fields that a sentence for people does without"""
SHAPES = (
    # who an address is asked as, up to the last @; a password may hold what should have been percent-encoded
    (
        ("://",),
        re.compile(r"""(://)(?:[^\s/:@"']*:(?:(?:(?!://)[^\s"'?#])*|(?:(?!://)[^\s@"'])+)|[^\s/?#"']+)(?=@)"""),
    ),
    # what a query names a secret; elsewhere such a name may be a field of ours
    (
        ("key=", "token=", "secret=", "password="),
        re.compile(r"""(?i)([?&#][\w.-]*(?:key|token|secret|password)=)[^\s&#"'<>]+"""),
    ),
    # a password among the words of a connection, bare or in quotes, which may be escaped themselves
    (
        ("password",),
        re.compile(
            r"""(?i)((?<![\w?&#])\w*password[ \t]*=[ \t]*)"""
            r"""(?:(?P<quote>\\*['"])(?:(?!(?P=quote))(?:\\.|.))*(?P=quote)?|(?:\\.|\S)+)"""
        ),
    ),
    (("bearer",), re.compile(r"""(?i)(bearer\s+)[^\s"',\\]+""")),
    (
        ("basic",),
        re.compile(r"((?i:basic)\s+)(?P<encoded>[A-Za-z0-9+/]{8,}={0,2}|[A-Za-z0-9+/]{2,7}={1,2})(?![\w=])"),
    ),
    (("eyj",), re.compile(r"()eyJ(?:(?!eyJ)[\w-]){5,}(?:\.[\w-]+){1,4}")),
    (("sb_secret_",), re.compile(r"()sb_secret_[\w-]+")),
    (("whsec_",), re.compile(r"()whsec_[\w+/=-]{8,}")),
    (("tipoff_",), re.compile(r"()tipoff_[\w-]{43}")),
)
"""what secrets look like, wherever they come from: how such a text, in small letters, is noticed; what of it stays
(the first group) and what is hidden"""
HINTS = tuple(hint for hints, _ in SHAPES for hint in hints)


def _hidden(found: re.Match[str]) -> str:
    """What is shown instead; a mere word after `basic` stays."""
    encoded = found.groupdict().get("encoded")
    return found[0] if encoded and not _is_text(encoded.rstrip("=")) else found[1] + HIDDEN


def _is_text(encoded: str) -> bool:
    """Whether it is text in base64, as a name and a password are; words, read as base64, are not."""
    whole = encoded[:-1] if len(encoded) % 4 == 1 else encoded  # it may have been cut off
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4)).decode().isprintable()
    except UnicodeDecodeError:
        return False


class Redactor:
    """Takes secrets out of what is shown: those that were set, in several spellings, and whatever looks like one.

    >>> hide = Redactor(["s3cret/"])
    >>> hide.text("s3cret/ s3cret%2F czNjcmV0Lw Bearer abc"), hide.value({"a": ["postgresql://me:pw@here"]})
    ('*** *** *** Bearer ***', {'a': ['postgresql://***@here']})
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form for secret in secrets if len(secret) >= SHORTEST for form in _spellings(secret)}
        self._forms = sorted(found, key=lambda form: (-len(form), form))
        hints = {*found, *(json.dumps(form)[1:-1] for form in found)}
        self._hints = [one for one in hints if not any(other in one for other in hints if other != one)]

    def suspects(self, text: str) -> bool:
        """Whether anything may have to be hidden; quick, since nearly always it need not."""
        small = text.lower()
        return any(hint in small for hint in HINTS) or any(hint in text for hint in self._hints)

    def text(self, text: str) -> str:
        """The text without secrets."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        small = text.lower()
        for hints, shape in SHAPES:
            if any(hint in small for hint in hints):
                text = shape.sub(_hidden, text)
        return text

    def value(self, value: Any) -> Any:
        """A value of JSON without secrets, however deep."""
        if isinstance(value, dict):
            return {self.value(name): self.value(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return self.text(value) if isinstance(value, str) else value


def _spellings(secret: str) -> set[str]:
    """As it is, as Python and JSON write it, percent-encoded, in base64, in hexadecimal digits."""
    raw = secret.encode("utf-8", "surrogateescape")
    return {
        secret, repr(secret)[1:-1], repr(raw)[2:-1], json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1], quote(raw, safe=""), quote(raw), quote_plus(raw), raw.hex(),
        base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }  # fmt: skip


class Lines:
    """Renders an event as a line of JSON."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> str:
        """The line; what may hold a secret is taken apart again, so that nothing is missed inside an object."""
        line = json.dumps(event, default=str)
        return json.dumps(self._redactor.value(json.loads(line))) if self._redactor.suspects(line) else line


class Sentences:
    """Renders an event for people: what happened, and what the sentence does not say of it."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> str:
        """The sentence; what a job's process wrote is kept with its job and not said here."""
        said, trace = str(event.pop("event")), event.pop("exception", None)
        if said == OUTPUT:
            raise structlog.DropEvent
        rest = "".join(f" {name}={value}" for name, value in event.items() if name not in SAID)
        return self._redactor.text(f"{said}{rest}" + (f"\n{trace}" if trace else ""))


class Bridge(logging.Handler):
    """Brings what libraries log into the same lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record as one event."""
        structlog.get_logger(record.name).log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )


def as_json(form: Form, stream: TextIO | None = None) -> bool:
    """Whether lines are JSON: asked for, or nobody sits before a terminal."""
    return form == "json" or (form == "auto" and not (stream or sys.stdout).isatty())


def configure(redact: Sequence[str], form: Form = "auto") -> bool:
    """Log from now on without these secrets: JSON on stdout or sentences on stderr; whether it is JSON."""
    redactor, lines = Redactor(redact), as_json(form)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.format_exc_info,
            Lines(redactor) if lines else Sentences(redactor),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout if lines else sys.stderr),
        cache_logger_on_first_use=True,
    )  # fmt: skip
    _bridge()
    return lines


def _bridge() -> None:
    """Libraries say warnings and worse; the server also when it starts and stops, but not each request as we do."""
    root = logging.getLogger()
    root.handlers = [*(one for one in root.handlers if not isinstance(one, Bridge)), Bridge(logging.INFO)]
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # what it would warn of is logged by its users


def log_crashes() -> None:
    """Whatever ends this process or one of its threads unforeseen is an event too."""
    log = structlog.get_logger("tipoff")

    def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("this process fails", exc_info=(kind, error, trace))

    def thread_crashed(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None:
            crashed(found.exc_type, found.exc_value, found.exc_traceback)

    sys.excepthook, threading.excepthook = crashed, thread_crashed
