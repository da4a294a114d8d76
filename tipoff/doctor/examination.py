"""Every question of the doctor, in order; what is slow outside is asked while the database is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from tipoff.doctor import local, outside
from tipoff.doctor.database import Database
from tipoff.doctor.line import Level, Line, asked, skipped
from tipoff.logs import Redactor
from tipoff.refusals.given import Fault, placeholders
from tipoff.settings import Settings


def examine(settings: Settings, unread: list[Fault], environment: Mapping[str, str]) -> Iterator[Line]:
    """One line after another, without secrets; none takes longer than `line.PATIENCE`."""
    redactor = Redactor(settings.secrets())
    for line in _lines(settings, unread, environment):
        yield dataclasses.replace(line, seen=redactor.text(line.seen), mend=redactor.text(line.mend))


def _lines(settings: Settings, unread: list[Fault], environment: Mapping[str, str]) -> Iterator[Line]:
    with ThreadPoolExecutor(3) as meanwhile:
        store = meanwhile.submit(_store, settings)
        league = meanwhile.submit(asked, "upstream", lambda: outside.upstream(settings), "look at TIPOFF_SOURCE")
        clock = meanwhile.submit(
            asked, "upstream clock", lambda: outside.upstream_clock(settings), "look at TIPOFF_LEAGUE_URL"
        )
        yield from local.settings_lines(settings, unread, environment)
        yield asked("machine", lambda: local.machine(settings), "look at the disk of TIPOFF_HOME")
        yield from Database(settings).lines()
        yield store.result()
        yield league.result()
        yield clock.result()


def _store(settings: Settings) -> Line:
    if {"SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"} & set(placeholders(settings)):
        return skipped("store", "Supabase's settings still have the values of the example")
    mend = "look at SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY and the bucket (Supabase: Storage)"
    return asked("store", lambda: outside.store(settings), mend)


def is_sound(lines: list[Line]) -> bool:
    """Whether nothing is an error."""
    return all(line.level is not Level.ERROR for line in lines)
