"""Models as pages: who forecasts, what was promised and scored, the gate's words, and letting one forecast."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import pytest

from tests.dashboard.test_jobs import HOSTILE, until
from tests.pages import Visitor, by_id, form, words
from tests.web import MASTER, WebProcess
from tipoff.storage import models
from tipoff.storage.pool import Pool
from tipoff.web.promises import promises

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
WORTH = ("player strength", 500, 0.0068, 0.0048, 0.0089, 0.1, 0.05, 0.15, 0.6, 0.5, 0.7)
GATE = {"matches": 300, "checks": [
    {"name": "fresh", "detail": "fitted until yesterday", "passed": True},
    {"name": "calibrated", "detail": "calibration slope 0.4, allowed 0.6 to 1.6", "passed": False},
]}  # fmt: skip


def measured(log_loss: float, name: str = "filter") -> dict[str, Any]:
    """A measurement as a document holds it."""
    estimate = {"mean": log_loss, "low": log_loss - 0.01, "high": log_loss + 0.01, "n": 500}
    return {
        "name": name, "measures": {"log_loss": estimate}, "difference": {**estimate, "mean": -0.05},
        "bins": [{"low": 0.5, "high": 0.6, "n": 40, "mean_forecast": 0.55, "share_won": 0.6}],
    }  # fmt: skip


def put(pool: Pool, log_loss: float, passed: bool | None, reason: str = "not worse", **more: Any) -> int:
    """A model with the gate's verdict; its version."""
    document = {
        "measured": {"models": [measured(log_loss), measured(0.6931, "constant")]}, "params": {"r": log_loss}, **more
    }  # fmt: skip
    sha256 = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    with pool.connection() as connection, connection.transaction():
        models.register(connection, sha256, document, NOW, "test", 1234)
        if passed is not None:
            models.rule(connection, sha256, passed, reason, GATE)
        models.keep_importance(connection, sha256, [WORTH])
        return models.find(connection, sha256).version


def active(pool: Pool) -> int | None:
    """Which one forecasts in the database."""
    with pool.connection() as connection:
        champion = models.champion(connection)
    return None if champion is None else champion.version


@pytest.fixture
def empty(pool: Pool) -> Pool:
    """The registry without a model."""
    with pool.connection() as connection:
        for table in ("model_performance", "feature_importance", "filter_states", "model_registry"):
            connection.execute(f"delete from {table}".encode())
    return pool


def test_without_a_model_the_page_says_what_to_do(web: WebProcess, empty: Pool) -> None:
    """A page of blanks before the first training."""
    page = until(Visitor(web), "/models", lambda page: "No model forecasts yet" in words(by_id(page, "main")))
    assert "None was trained yet" in words(by_id(page, "all"))


def test_who_forecasts_with_what_it_promised_and_scored(web: WebProcess, empty: Pool) -> None:
    """A promise without its interval; a challenger's figures on the champion's card."""
    first, second = put(empty, 0.64, True), put(empty, 0.66, False, f"worse {HOSTILE}")
    with empty.connection() as connection:
        champion = models.find(connection, str(first))
        models.activate(connection, champion.sha256, NOW)
        day = (champion.sha256, dt.date(2026, 3, 1), 250, 0.651, 0.23, 0.61, 7.0, 9.0, 0.8, 0.8, NOW)
        models.keep_performance(connection, [day])
    page = until(Visitor(web), "/models", lambda page: f"Model {second}" in words(by_id(page, "all")))
    assert f"Model {first} forecasts" in words(by_id(page, "champion"))
    assert "0.6400 0.6300 to 0.6500, n = 500" in words(by_id(page, "promises"))
    [dot] = by_id(page, "daily").iter("circle")
    assert dot.get("data-y") == "0.651"
    assert "250" in words(by_id(page, "daily-table"))
    said = words(by_id(page, "all"))
    assert f"worse {HOSTILE}" in said
    assert "Refused by the gate" in said
    assert "0.6600 0.6500 to 0.6700, n = 500" in said


def test_one_model_whole(web: WebProcess, empty: Pool) -> None:
    """A verdict without reasons, an importance without intervals, a calibration of another one."""
    version = put(empty, 0.65, False, "calibration slope -0.4")
    page = Visitor(web).see(f"/models/{version}")
    gate = [words(one) for one in by_id(page, "main").findall(".//ul[@class='gate']/li")]
    assert gate == ["Fresh passedfitted until yesterday", f"Calibrated failed{GATE['checks'][1]['detail']}"]  # type: ignore[index]
    assert "slope \N{MINUS SIGN}0.4" in words(by_id(page, "model"))
    [bar] = [one for one in page.iter("g") if one.get("data-y") == "player strength"]
    assert bar.get("data-x") == "6.8"
    assert "+4.80 to +8.90" in words(by_id(page, "importance-table"))
    assert "500" in words(by_id(page, "importance-table"))
    assert "55" in words(by_id(page, "calibration-table"))
    assert "constant" in words(by_id(page, "main"))
    assert "there is no model 999999" in words(by_id(Visitor(web).see("/models/999999", 404), "main")).lower()
    Visitor(web).see("/models/x", 422)


def test_two_beside_each_other(web: WebProcess, empty: Pool) -> None:
    """A comparison on different matches that does not say so."""
    one, two = put(empty, 0.64, True), put(empty, 0.66, True)
    visitor = Visitor(web)
    page = visitor.see(f"/models/compare?v1={one}&v2={two}")
    said = words(by_id(page, "main"))
    assert "No paired comparison" in said
    assert "\N{MINUS SIGN}0.0200" in said
    assert "0.6400 0.6300 to 0.6500, n = 500" in said
    assert "Choose two models" in words(by_id(visitor.see("/models/compare"), "main"))
    wrong = visitor.see(f"/models/compare?v1={one}&v2=999999", 404)
    assert "there is no model 999999" in words(by_id(wrong, "main"))
    assert "cannot be compared" in words(by_id(visitor.see("/models/compare?v1=x&v2=y/z", 422), "main"))


def test_an_operator_lets_one_forecast(web: WebProcess, empty: Pool) -> None:
    """A champion that is changed with one touch, by anybody, or to one that the gate refused."""
    version, refused = put(empty, 0.64, True), put(empty, 0.66, False, "too wild")
    visitor = Visitor(web, MASTER)
    path = f"/models/{version}/activate"
    assert path in {one.get("action") for one in visitor.see(f"/models/{version}").iter("form")}
    assert path not in {one.get("action") for one in Visitor(web).see(f"/models/{version}").iter("form")}
    asked = visitor.see(path)
    assert active(empty) is None
    fields = form(asked, path)
    page = visitor.send(path, **fields)
    assert active(empty) == version
    assert "It forecasts already" in words(by_id(page, "model"))
    assert "The gate refused it" in words(by_id(visitor.see(f"/models/{refused}"), "model"))
    page = visitor.send(f"/models/{refused}/activate", 409, **fields)
    assert "may not forecast: refused (too wild)" in words(by_id(page, "main"))
    assert active(empty) == version


def _estimate(low: float, high: float) -> dict[str, float]:
    return {"mean": (low + high) / 2, "low": low, "high": high, "n": 9}


@pytest.mark.parametrize(
    ("measure", "promised", "sealed", "said"),
    [
        ("log_loss", (0.63, 0.65), (0.64, 0.66), "as promised"),
        ("log_loss", (0.63, 0.65), (0.66, 0.67), "worse than"),
        ("log_loss", (0.63, 0.65), (0.60, 0.62), "better than"), ("hit", (0.60, 0.62), (0.63, 0.65), "better than"),
        ("hit", (0.60, 0.62), (0.50, 0.52), "worse than"), ("total_inside", (0.79, 0.81), (0.85, 0.9), "more often"),
        ("total_inside", (0.79, 0.81), (0.7, 0.75), "less often"),
    ],
)  # fmt: skip
def test_promises_are_judged_by_their_intervals(
    measure: str, promised: tuple[float, float], sealed: tuple[float, float], said: str
) -> None:
    """A worse score that is called better; chance that is called a change."""
    model = {"sha256": "a" * 64, "estimates": {measure: _estimate(*promised)}}
    record = {"by_model": {"a" * 12: {"measures": {measure: _estimate(*sealed)}}}}
    [found] = promises(model, record)
    assert found.said.startswith(said)
    [alone] = promises(model, None)
    assert (alone.kind, alone.said) == ("", "cannot be judged yet")
