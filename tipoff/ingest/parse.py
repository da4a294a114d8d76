"""A raw payload to matches, fixtures and rejected rows; one bad row never loses the others."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

from tipoff.domain.match import Fixture, Match, MatchStatus
from tipoff.domain.payload import RawPayload
from tipoff.ingest.classify import classify
from tipoff.ingest.fields import BadRowError, shown
from tipoff.storage.quarantine import Rejected

LONGEST_INT = 400
"""digits of the longest whole number that is read as one"""
KEPT_TEXT = 20_000
"""characters of a rejected row that are kept beside the reason; the payload itself is kept whole"""


@dataclasses.dataclass(frozen=True, slots=True)
class Parsed:
    """What a payload said: at most one match or fixture an external id."""

    matches: list[Match]
    fixtures: list[Fixture]
    rejected: list[Rejected]
    whole: bool = True
    """False where part of the payload could not be read, so that what is missing proves nothing"""


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """An element that no JSON reader takes, and how it begins."""

    reason: str
    begins: str


class _Row(dict[str, Any]):
    """A JSON object that remembers whether a key came twice."""

    repeated = False


def _object(pairs: list[tuple[str, Any]]) -> _Row:
    row = _Row(pairs)
    row.repeated = len(row) < len(pairs)
    return row


def parse(payload: RawPayload) -> Parsed:
    """Read a payload; never raises for what a server may have sent."""
    try:
        text = payload.body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _refused(payload, "bad_encoding", f"not UTF-8 at byte {error.start}")
    try:
        rows = _read(text)
    except RecursionError:
        return _rows(payload, [_read_alone(part) for part in elements(text)], whole=False)
    except ValueError as error:
        return _refused(payload, "invalid_json", str(error)[:200])
    if not isinstance(rows, list):
        return _refused(payload, "not_a_list", f"the answer is {type(rows).__name__}, not an array")
    return _rows(payload, rows, whole=True)


def _rows(payload: RawPayload, rows: list[Any], whole: bool) -> Parsed:
    best: dict[str, Match | Fixture] = {}
    rejected: list[Rejected] = []
    for index, row in enumerate(rows):
        try:
            _keep(best, _checked(row, payload.dialect))
        except BadRowError as bad:
            rejected.append(Rejected(index, bad.reason, bad.detail, _id_of(row), _text(row)))
    matches = [m for m in best.values() if isinstance(m, Match)]
    return Parsed(matches, [f for f in best.values() if not isinstance(f, Match)], rejected, whole)


def _read(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object, parse_int=_int)


def _int(digits: str) -> int | float:
    """A whole number; one with more digits than any fact has is infinite, so that its row alone is refused."""
    return int(digits) if len(digits) <= LONGEST_INT else math.inf


def _read_alone(part: str) -> Any:
    """One element of an array, or what makes it unreadable."""
    try:
        return _read(part)
    except RecursionError:
        return Unreadable("too_deep", part[:200])
    except ValueError:
        return Unreadable("invalid_json", part[:200])


def elements(text: str) -> Iterator[str]:
    """The elements of a JSON array as text, without looking into them; whatever their depth."""
    depth, begin, quoted, escaped = 0, 0, False, False
    for at, char in enumerate(text):
        if quoted:
            quoted, escaped = escaped or char != '"', not escaped and char == "\\"
        elif char == '"':
            quoted = True
        elif char in "[{":
            depth += 1
            begin = at + 1 if depth == 1 else begin
        elif char in "]}" or (char == "," and depth == 1):
            depth -= char != ","
            if depth <= 1 and (char == "," or depth == 0):
                yield text[begin:at]
                begin = at + 1
    if depth > 0:
        yield text[begin:]


def _checked(row: Any, dialect: str) -> Match | Fixture:
    if isinstance(row, Unreadable):
        raise BadRowError(row.reason, f"the row begins {shown(row.begins)}")
    if not isinstance(row, _Row):
        raise BadRowError("not_an_object", f"the row is {shown(row)}")
    if row.repeated:
        raise BadRowError("duplicate_keys", "a key of the row comes twice, so either value may be meant")
    return classify(row, dialect)


def _rank(item: Match | Fixture) -> int:
    if not isinstance(item, Match):
        return 0
    return 2 if item.status is MatchStatus.FINAL else 1


def _keep(best: dict[str, Match | Fixture], item: Match | Fixture) -> None:
    """Keep the row that says more; the other is refused, unless they say the same."""
    other = best.get(item.external_id)
    if other is None or _rank(item) > _rank(other):
        best[item.external_id] = item
    if other is not None and other != item:
        raise BadRowError("conflicting_duplicate", f"{item.external_id} comes twice and the rows differ")


def _refused(payload: RawPayload, reason: str, detail: str) -> Parsed:
    row = ascii(payload.body[:2000].decode("latin-1"))
    return Parsed([], [], [Rejected(-1, reason, detail, None, row)], whole=False)


def _id_of(row: Any) -> str | None:
    value = row.get("externalId", row.get("fixtureExternalId")) if isinstance(row, dict) else None
    return ascii(value)[1:-1][:64] if isinstance(value, str) else None


def _text(row: Any) -> str:
    try:
        return json.dumps(row.begins if isinstance(row, Unreadable) else row, ensure_ascii=True)[:KEPT_TEXT]
    except (ValueError, RecursionError):
        return shown(type(row).__name__)
