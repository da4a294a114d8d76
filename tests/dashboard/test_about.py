"""How it works: figures that are measured or none, and words for everything."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.api.test_pages_data import league, sealed
from tests.jobs import eventually
from tests.pages import Visitor, by_id, words
from tests.web import MASTER, WebProcess
from tipoff.pipeline.watch import refresh_record
from tipoff.storage.pool import Pool
from tipoff.web.words import number, percent

__all__ = ["league", "sealed"]


def test_nothing_is_claimed_before_it_is_measured(web: WebProcess) -> None:
    """Figures that somebody typed."""
    text = words(by_id(Visitor(web).see("/about"), "good"))
    assert "Nothing can be said here yet" in text
    assert not re.search(r"\d", text)


def test_figures_are_those_of_the_record(web: WebProcess, league: Any, sealed: object, kept_pool: Pool) -> None:
    """A figure that is not the record's of now."""
    assert refresh_record(kept_pool, (30, 2), league[1]["now"])
    eventually(lambda: web.get("/api/record").status_code == 200, "the record", 5.0)
    record = web.get("/api/record").json()
    main = record["by_horizon"][str(record["main"])]
    page = Visitor(web).see("/about")
    good = words(by_id(page, "good"))
    assert f"on {main['n']} forecasts sealed {record['main']} minutes before" in good
    assert number(main["measures"]["log_loss"]["mean"], 4) in good
    assert percent(main["measures"]["hit"]["mean"], 1) in good
    fullest = max(record["bins"], key=lambda b: b["n"])
    said = words(by_id(page, "calibration"))
    assert f"of {fullest['n']} forecasts" in said
    assert percent(fullest["share_won"], 1) in said
    status = web.get("/api/system/status").json()
    assert f"{number(status['rows']['matches']['rows'])} matches" in words(by_id(page, "data"))


@pytest.mark.parametrize("word", ["Sealed", "Graded", "Fair odds", "Log loss", "Session", "ECE", "CRPS", "CLV"])
def test_every_word_is_explained(web: WebProcess, word: str) -> None:
    """A word of the pages that nobody explains."""
    assert word in [words(one) for one in by_id(Visitor(web).see("/about"), "words").iter("dt")]


def test_it_opens_where_reading_is_closed_and_tells_no_figure(
    shared_dsn: str, sealed: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A page for everybody that shows what only some may read."""
    one = WebProcess(shared_dsn, tmp_path_factory.mktemp("closed"), TIPOFF_OPEN_READS="false")
    try:
        text = words(by_id(Visitor(one).see("/about"), "main"))
        assert "Nothing can be said here yet" in text
        assert "matches of" not in text
        assert "Measured here" in words(by_id(Visitor(one, MASTER).see("/about"), "good"))
        for path in ("/record", "/players", "/teams", "/live", "/h2h"):
            assert "Sign in" in words(by_id(Visitor(one).see(path, 401), "main"))
    finally:
        one.stop()
