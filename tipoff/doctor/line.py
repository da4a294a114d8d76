"""What the doctor says of one question, and how long a question may take."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable

import psycopg

from tipoff.errors import TipoffError
from tipoff.health.inspector import plainly
from tipoff.health.probe import HungError, Probe

PATIENCE = 5.0
"""seconds after which a question is given up"""


class Level(enum.StrEnum):
    """How it is."""

    OK = "ok"
    WARN = "warn"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """The answer to a question: what was seen, and what to do where that is not as it should be."""

    name: str
    level: Level
    seen: str
    mend: str = ""


def ok(name: str, seen: str) -> Line:
    """As it should be."""
    return Line(name, Level.OK, seen)


def judged(name: str, seen: str, *, warn: bool = False, error: bool = False, mend: str) -> Line:
    """As it should be, unless it is not: then with the mend."""
    level = Level.ERROR if error else Level.WARN if warn else Level.OK
    return Line(name, level, seen, mend if warn or error else "")


def skipped(name: str, why: str) -> Line:
    """Not asked."""
    return Line(name, Level.SKIPPED, why)


def asked(name: str, question: Callable[[], Line], mend: str, cut: Callable[[], None] = lambda: None) -> Line:
    """The answer within PATIENCE; an error with `mend` where there is none, after `cut` where it hangs."""
    probe: Probe[Line] = Probe(name)
    probe.start(question)
    try:
        return probe.result(PATIENCE)
    except HungError:
        cut()
        return Line(name, Level.ERROR, f"no answer within {PATIENCE:g} s", mend)
    except TipoffError as error:
        return Line(name, Level.ERROR, str(error), mend)
    except (psycopg.Error, OSError) as error:
        return Line(name, Level.ERROR, plainly(error), mend)
