"""Forecasts as the API says them, in the odds format asked for."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence

from tipoff.api.matches.schemas import Forecast, Grade, Seal
from tipoff.domain.match import Fixture
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.known import KnownState
from tipoff.forecast.normal import ndtri
from tipoff.forecast.odds import american, fractional
from tipoff.storage import browse
from tipoff.storage.browse import Row
from tipoff.storage.pool import Connection

HALF_80 = ndtri(0.9)
DIGITS = 6


class OddsFormat(enum.StrEnum):
    """How odds are written."""

    DECIMAL = "decimal"
    AMERICAN = "american"
    FRACTIONAL = "fractional"


def odds(decimal: float, form: OddsFormat) -> float | int | str | None:
    """Decimal odds in that format; None where there are none (it cannot happen, or cannot fail)."""
    if not math.isfinite(decimal) or decimal <= 1:
        return None
    if form is OddsFormat.AMERICAN:
        return american(decimal)
    return fractional(decimal) if form is OddsFormat.FRACTIONAL else round(decimal, 4)


def forecasts(
    state: KnownState, fixtures: Sequence[Fixture], form: OddsFormat = OddsFormat.DECIMAL
) -> list[tuple[ScoreDistribution, Forecast]]:
    """The distribution of each fixture, and what is said of it."""
    made = state.forecast(fixtures)
    return [(d, said(d, (state.known_of(f.player_a), state.known_of(f.player_b)), form))
            for f, d in zip(fixtures, made, strict=True)]  # fmt: skip


def said(d: ScoreDistribution, known: tuple[int, int], form: OddsFormat) -> Forecast:
    """A distribution in figures."""
    p = d.p_a
    low, high = d.total_interval()
    figures = {
        "p_a": p, "p_b": 1 - p, "score_a": d.mean_a, "score_b": d.mean_b, "margin_mean": d.margin_mean,
        "margin_sd": d.margin_sd, "margin_low": d.margin_mean - HALF_80 * d.margin_sd,
        "margin_high": d.margin_mean + HALF_80 * d.margin_sd, "total_mean": d.total_mean, "total_sd": d.total_sd,
        "total_low": low, "total_high": high,
    }  # fmt: skip
    return Forecast(
        **{name: round(value, DIGITS) for name, value in figures.items()},
        fair_a=odds(1 / p if p > 0 else math.inf, form), fair_b=odds(1 / (1 - p) if p < 1 else math.inf, form),
        known_a=known[0], known_b=known[1],
    )  # fmt: skip


def seals(connection: Connection, external_ids: Sequence[str]) -> dict[str, list[Seal]]:
    """Sealed forecasts with their newest grades by match, in the order they were sealed; [] where there are none."""
    found: dict[str, list[Seal]] = {external_id: [] for external_id in external_ids}
    for row in browse.seals(connection, list(external_ids)):
        found[row[0]].append(_seal(row))
    return found


def _seal(row: Row) -> Seal:
    """A row of `browse.seals`."""
    _, seq, digest, horizon, start, sealed_at, model, p_a, mm, ms, tm, ts, grade_seq, body = row
    grade = None if body is None else Grade(row=grade_seq, status=body["status"], scores=body.get("scores"))
    return Seal(
        row=seq, hash=digest, horizon=horizon, start=start, sealed_at=sealed_at, model=model, p_a=p_a, margin_mean=mm,
        margin_sd=ms, total_mean=tm, total_sd=ts, grade=grade,
    )  # fmt: skip
