"""Whatever a server sends: no crash, every bad row refused with a reason, every good row kept."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire import NOON, payload, row
from tipoff.ingest.parse import elements, parse

KEYS = ("externalId", "startDate", "participantAName", "participantBName", "teamAScore", "matchStatus")
RAW = (
    "null", "true", "-1", "3.5", "1e999", "NaN", "-Infinity", "9" * 30, "9" * 6000, "[]", "{}", '""', '" "',
    '"\\u0000"', '"\\ud800"', '"\\u202ex"', '"' + "x" * 500 + '"', "[" * 300 + "]" * 300, '{"a": {"b": [{}]}}',
    "[" * 60_000 + "]" * 60_000,
)  # fmt: skip


def bad_row(rng: random.Random, number: int) -> str:
    """JSON text of a row that cannot be believed."""
    key, kind = rng.choice(KEYS), rng.random()
    whole = row(number)
    if kind < 0.15:
        return rng.choice(RAW)
    if kind < 0.3 and key not in ("matchStatus", "teamAScore"):
        del whole[key]
        return json.dumps(whole)
    if kind < 0.4:
        text = json.dumps(whole)
        return text[:-1] + f', "{key}": {json.dumps(whole[key])}' + "}"
    value = rng.choice([r for r in RAW if r not in ("null", "3.5")] if key == "teamAScore" else RAW)
    if key in ("matchStatus", "teamAScore") and value == "null":
        value = "7.5"
    whole[key] = "@"
    return json.dumps(whole).replace('"@"', value)


def test_two_thousand_hostile_payloads() -> None:
    """A row that crashes the reader, is believed, or takes a good row with it."""
    rng = random.Random(17)
    for number in range(2000):
        bad = [bad_row(rng, 10 + i) for i in range(rng.randint(1, 3))]
        good = [json.dumps(row(i)) for i in range(1, 4)]
        mixed = bad + good
        rng.shuffle(mixed)
        parsed = parse(payload(f"[{', '.join(mixed)}]".encode(), NOON))
        assert sorted(m.external_id[:5] for m in parsed.matches) == ["NB001", "NB002", "NB003"], number
        assert len(parsed.rejected) == len(bad), (number, [b[:200] for b in bad], parsed.rejected)
        assert all(r.reason and r.detail and r.row.isascii() for r in parsed.rejected)


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    """A crash on noise."""
    parsed = parse(payload(body, NOON))
    assert not parsed.matches
    assert not parsed.fixtures


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


@given(st.lists(json_values, max_size=6))
def test_elements_are_those_of_the_json_reader(values: list[object]) -> None:
    """A splitter fooled by quotes, escapes or commas."""
    parts = [part for part in elements(json.dumps(values)) if part.strip()]
    assert json.dumps([json.loads(part) for part in parts]) == json.dumps(values)


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_payload_cut_short_proves_nothing(cut: int) -> None:
    """Half an answer taken for the whole, so that the other half seems to have vanished."""
    body = json.dumps([row(1), row(2)]).encode()[:-cut]
    assert not parse(payload(body, NOON)).whole
