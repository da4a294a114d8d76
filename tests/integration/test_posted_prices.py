"""Posted prices into a real database: matched however a file names them, kept once, and nothing lost."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_ingest import bring
from tests.wire import fixture, payload, row
from tipoff.domain.quote import Posted, Quote
from tipoff.errors import InputError
from tipoff.ingest.quotes import read_quotes
from tipoff.pipeline.prices import Imported, import_prices
from tipoff.storage import quotes
from tipoff.storage.pool import Pool

NOON = dt.datetime(2026, 7, 8, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def league(pool: Pool) -> Pool:
    """ANNA and SAINT JR meet at noon and 35 minutes later, CARL and DORA at noon; CARL comes back to play."""
    over = row(1, start=NOON, participantAName="ANNA", participantBName="SAINT JR", externalId="ONE")
    again = row(2, start=NOON + 35 * MINUTE, participantAName="SAINT JR", participantBName="ANNA", externalId="TWO")
    other = row(3, start=NOON, participantAName="CARL", participantBName="DORA", externalId="OTHER")
    soon = fixture(4, NOON + 90 * MINUTE, participantAName="CARL", participantBName="ANNA", externalId="SOON")
    bring(pool, payload([over, again, other, soon], NOON + 80 * MINUTE, NOON.date()))
    return pool


def posted(**more: Any) -> Posted:
    """A total of the match at noon, ten minutes before it."""
    values: dict[str, Any] = {
        "external_id": None, "start": NOON, "player_a": "ANNA", "player_b": "SAINT JR", "bookmaker": "Book",
        "market": "total", "line": 107.5, "over": 1.8, "under": 2.0, "quoted_at": NOON - 10 * MINUTE,
    }  # fmt: skip
    return Posted(**values | more)


def stored(pool: Pool) -> list[Quote]:
    """Every quote that is kept."""
    with pool.connection() as connection:
        rows = connection.execute(f"select {quotes.QUOTE} from odds_quotes order by id").fetchall()
    return [Quote(*row) for row in rows]


def waiting(pool: Pool) -> dict[str, str]:
    """Reason of each quote that waits, by bookmaker."""
    with pool.connection() as connection:
        return {one.posted.bookmaker: one.reason for one in quotes.waiting(connection)}


@pytest.mark.parametrize(("named", "match"), [
    ({}, "ONE"),
    ({"external_id": "ONE", "start": None, "player_a": None, "player_b": None}, "ONE"),
    ({"player_a": "saint-jr", "player_b": "Anna"}, "ONE"),
    ({"player_a": "DEN Nuggets (ANNA)", "player_b": "MIA Heat (SaintJr)"}, "ONE"),
    ({"player_b": "SAINT JNR"}, "ONE"),
    ({"external_id": "RE-ISSUED"}, "ONE"),
    ({"start": NOON + 5 * MINUTE}, "ONE"),
    ({"start": NOON + 35 * MINUTE}, "TWO"),
    ({"start": NOON + 30 * MINUTE}, "TWO"),
    ({"start": NOON + 90 * MINUTE, "player_b": "CARL"}, "SOON"),
])  # fmt: skip
def test_a_match_is_found_however_it_is_named(league: Pool, named: dict[str, Any], match: str) -> None:
    """A price that is compared with another match of the same two, or with none."""
    assert import_prices(league, [posted(**named)]).new == 1
    assert [q.external_id for q in stored(league)] == [match]


@pytest.mark.parametrize(("market", "line", "turned"), [
    ("winner", None, ("winner", None, 2.0, 1.8)), ("spread", -3.5, ("spread", 3.5, 2.0, 1.8)),
    ("total", 107.5, ("total", 107.5, 1.8, 2.0)), ("team_total_a", 50.5, ("team_total_b", 50.5, 1.8, 2.0)),
])  # fmt: skip
def test_sides_the_other_way_round_are_turned(
    league: Pool, market: str, line: float | None, turned: tuple[Any, ...]
) -> None:
    """The favourite's price given to the outsider."""
    one = posted(player_a="SAINT JR", player_b="ANNA", market=market, line=line)
    assert import_prices(league, [one]).swapped == 1
    [q] = stored(league)
    assert (q.market, q.line, q.over, q.under) == turned


@pytest.mark.parametrize(("named", "reason"), [
    ({"player_b": "NOBODY"}, "no_such_match"),
    ({"start": NOON + 20 * MINUTE + 30 * 24 * 60 * MINUTE}, "no_such_match"),
    ({"start": NOON + 17.5 * MINUTE}, "no_such_match"),
    ({"external_id": "OTHER"}, "other_players"),
    ({"external_id": "NEVER", "start": None, "player_a": None, "player_b": None}, "no_such_match"),
    ({"player_b": "SAINT JNR", "start": NOON + 5 * MINUTE}, "no_such_match"),
])  # fmt: skip
def test_what_has_no_match_waits_with_its_reason(league: Pool, named: dict[str, Any], reason: str) -> None:
    """A price given to whoever plays about then; one that is dropped in silence."""
    done = import_prices(league, [posted(**named)])
    assert (done.new, done.reasons, done.waiting) == (0, {reason: 1}, 1)
    assert (stored(league), waiting(league)) == ([], {"Book": reason})


def test_two_meetings_that_may_be_meant(league: Pool) -> None:
    """A price that goes to the first of two matches that fit alike."""
    with league.connection() as connection:
        connection.execute("update matches set start_at = start_at - interval '15 min' where external_id = 'TWO'")
    assert import_prices(league, [posted(start=NOON + 9 * MINUTE)]).reasons == {"ambiguous": 1}
    assert import_prices(league, [posted(bookmaker="Sure")]).new == 1


def test_the_same_file_twice_changes_nothing(league: Pool) -> None:
    """Quotes that double, and with them every figure made of them."""
    file = [posted(), posted(), posted(player_b="NOBODY", bookmaker="Lost"), posted(line=108.5)]
    assert import_prices(league, file).new == 2
    kept = stored(league)
    again = import_prices(league, file)
    assert (again.new, again.known, again.waiting) == (0, 2, 1)
    assert stored(league) == kept


def test_what_waited_comes_when_its_match_is_known(league: Pool) -> None:
    """A price from before the schedule was fetched that is lost for ever."""
    early = posted(external_id="LATER", start=NOON + 300 * MINUTE, player_a="DORA", player_b="ANNA")
    assert import_prices(league, [early]).waiting == 1
    later = fixture(9, NOON + 300 * MINUTE, participantAName="DORA", participantBName="ANNA", externalId="LATER")
    bring(league, payload([later], NOON + 100 * MINUTE, NOON.date()))
    done = import_prices(league, [posted(bookmaker="New")])
    assert (done.new, done.came, done.waiting) == (2, 1, 0)
    assert {q.external_id for q in stored(league)} == {"ONE", "LATER"}


def test_another_price_at_the_same_second_is_kept_apart(league: Pool) -> None:
    """A correction that vanishes, or that replaces what was seen."""
    import_prices(league, [posted()])
    done = import_prices(league, [posted(over=1.9)])
    assert (done.new, done.known, done.reasons) == (0, 0, {"contradicts": 1})
    assert [q.over for q in stored(league)] == [1.8]
    assert import_prices(league, []) == Imported(0, 0, 0, 0, 0, 0, 1, {}, {})


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    """A file whose American odds are read as decimal ones."""
    (tmp_path / "a.csv").write_text(
        "\ufeffbookmaker,market,start,player_a,player_b,quoted_at,line,over,under,external_id\n"
        "Book,handicap,2026-07-08T12:00:00Z,anna,Saint Jr,2026-07-08T13:50:00+02:00,-2.5,+150,1.5,\n"
        "Book,moneyline,2026-07-08T12:00:00Z,anna,Saint Jr,2026-07-08T13:50:00+02:00,,5/4,-200,X1\n"
    )
    rows = [
        {"bookmaker": "Book", "market": "spread", "start": "2026-07-08T12:00:00Z", "player_a": "anna",
         "player_b": "Saint Jr", "quotes": [{"t": "2026-07-08T11:50:00Z", "line": -2.5, "over": 2.5, "under": 1.5}]},
        {"bookmaker": "Book", "market": "winner", "start": "2026-07-08T12:00:00Z", "player_a": "anna",
         "player_b": "Saint Jr", "external_id": "X1", "t": "2026-07-08T11:50:00Z", "over": 2.25, "under": 1.5},
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    found = list(read_quotes(tmp_path / "a.csv"))
    assert found == list(read_quotes(tmp_path / "a.jsonl"))
    assert [(p.market, p.line, p.over, p.under) for p in found] == [
        ("spread", -2.5, 2.5, 1.5), ("winner", None, 2.25, 1.5)
    ]  # fmt: skip


@pytest.mark.parametrize("cells", [
    "Book,total,,,,2026-07-08T11:50:00Z,107.5,1.9,1.9,", "Book,total,,,,2026-07-08T11:50:00Z,107.25,1.9,1.9,X",
    "Book,total,,,,2026-07-08T11:50:00Z,nan,1.9,1.9,X", "Book,total,,,,2026-07-08T11:50:00Z,107.5,0.9,1.9,X",
    "Book,total,,,,2026-07-08T11:50:00,107.5,1.9,1.9,X", ",total,,,,2026-07-08T11:50:00Z,107.5,1.9,1.9,X",
    "Book,total,,,,2026-07-08T11:50:00Z,,1.9,1.9,X", "Book,total,,,,2026-07-08T11:50:00Z,107.5,evens,1.9,X",
    "Book,total,,,,2026-07-08T11:50:00Z,107,5,1.9,1.9,X",
    f"Book,total,,,,2026-07-08T11:50:00Z,107.5,{'9' * 140_000},2,X",
    f"Book,total,,,,2026-07-08T11:50:00Z,107.5,1{'0' * 400}/1,1.9,X",
    '"Book,total,,,,2026-07-08T11:50:00Z,107.5,2,2,X',
])  # fmt: skip
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, cells: str) -> None:
    """A quarter line that no forecast can price; 107,5 read as 107 at a price of 5; a row dropped in silence."""
    path = tmp_path / "a.csv"
    path.write_text(f"bookmaker,market,start,player_a,player_b,quoted_at,line,over,under,external_id\n{cells}\n")
    with pytest.raises(InputError, match="line 2 is not a market"):
        list(read_quotes(path))


@pytest.mark.parametrize("text", [
    "[" * 200_000, '{"market": "total", "external_id": "X", "bookmaker": "B", "t": "2026-07-08T11:50:00Z", "line": 1'
    + 400 * "0" + ', "over": 2, "under": 2}',
])  # fmt: skip
def test_what_is_too_deep_or_too_large_is_named(tmp_path: Path, text: str) -> None:
    """A traceback instead of the number of the line."""
    path = tmp_path / "a.jsonl"
    path.write_text(f"\n{text}\n")
    with pytest.raises(InputError, match="line 2 is not a market"):
        list(read_quotes(path))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    """The second of two prices taken for the first."""
    path = tmp_path / "a.csv"
    path.write_text("bookmaker,market,external_id,t,over,under,over\nB,winner,X,2026-07-08T11:50:00Z,1.9,1.9,1.5\n")
    with pytest.raises(InputError, match="line 1 is not a market"):
        list(read_quotes(path))
