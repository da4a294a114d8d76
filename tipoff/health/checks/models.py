"""The check `models`."""

from __future__ import annotations

import datetime as dt

from tipoff.health.checks.artifact_store import StoreFacts
from tipoff.health.report import Checked, Finding, Status
from tipoff.health.rules import beyond, error, finding, warning
from tipoff.health.settings import HealthSettings
from tipoff.storage.health import ModelFacts

DAY = 86400.0
WATCHED_DAYS = 3.0
"""after which a watch for drift says nothing of today"""


def models(facts: ModelFacts, store: StoreFacts, now: dt.datetime, limits: HealthSettings) -> Checked:
    """A champion that is there, loadable, young enough, and keeps what it promised."""
    if facts.sha256 is None or facts.trained_at is None:
        return Checked(
            "", (error("no_champion", "no model forecasts: none has passed the gate"),), {"champion": None}
        )
    days = (now - facts.trained_at).total_seconds() / DAY
    found: list[Finding] = []
    if store.champion is not None:
        found.append(
            error("champion_unreadable", f"the champion (model {facts.version}) cannot be read: {store.champion}")
        )
    elif store.away is not None:
        found.append(error("not_looked_at", f"the champion's file was not looked at: {store.away}"))
    hours = 24 * days
    since = f"{60 * hours:.0f} minutes" if hours < 2 else f"{hours:.0f} hours" if days < 2 else f"{days:.0f} days"
    found += beyond("champion_old", days, limits.pair("model_days"), f"the champion was trained {days:.0f} days ago")
    found += _drifted(facts, now)
    watched = {d["measure"]: d for d in (facts.drift or {}).get("watched", [])}
    loss = watched.get("log_loss", {})
    return Checked(
        f"model {facts.version} forecasts, trained {since} ago", tuple(found),
        {
            "champion": facts.version, "champion_days": round(days, 2), "log_loss": loss.get("seen"),
            "log_loss_promised": loss.get("promised"), "log_loss_matches": loss.get("matches"),
            "calibration_error": watched.get("ece", {}).get("seen"), "state_matches": facts.state_matches,
        },
        looked=store.away is None,
    )  # fmt: skip


def _drifted(facts: ModelFacts, now: dt.datetime) -> list[Finding]:
    """A log loss that drifted is an error, another measure a warning; what an earlier model did does not count."""
    if not facts.drift or facts.drift.get("model") != facts.sha256:
        return []
    days = (now - facts.drift_at).total_seconds() / DAY if facts.drift_at else 0.0
    if days >= WATCHED_DAYS:
        return [warning("drift_unwatched", f"scores were last compared with their promise {days:.0f} days ago")]
    drifted = [d for d in facts.drift["watched"] if d["drifted"]]
    if not drifted:
        return []
    severity = Status.ERROR if any(d["measure"] == "log_loss" for d in drifted) else Status.WARNING
    named = "; ".join(f"{d['measure']} was promised {d['promised']:.4f} and is {d['seen']:.4f}" for d in drifted)
    return [finding("drift", severity, f"the champion drifted over {drifted[0]['matches']} matches: {named}")]
