"""The check `forecasts`."""

from __future__ import annotations

import datetime as dt

from tipoff.health.report import Checked, Finding, seconds_since
from tipoff.health.rules import beyond, error, warning
from tipoff.health.settings import HealthSettings
from tipoff.storage.health import ForecastFacts, ModelFacts

FEWEST = 5
"""matches of a day below which their share says nothing"""


def forecasts(facts: ForecastFacts, ledger: ModelFacts, now: dt.datetime, limits: HealthSettings) -> Checked:
    """Whether matches are sealed in time, and whether the ledger verifies."""
    share = 100 * facts.sealed / facts.begun if facts.begun else None
    metrics = {
        "matches_begun": facts.begun, "matches_sealed": facts.sealed, "ledger_rows": facts.rows,
        "sealed_share": None if share is None else round(share / 100, 4),
        "ledger_verified_seconds_ago": seconds_since(ledger.verified_at, now),
    }  # fmt: skip
    found = _verified(facts, ledger, now, limits)
    if facts.clock is None:
        return Checked("nothing was sealed yet", tuple(found), metrics)
    if facts.clock != "database":
        return Checked("the ledger is a replay: what is missing in it is not judged", tuple(found), metrics)
    if share is not None and facts.begun >= FEWEST:
        found += beyond(
            "forecasts_unsealed", share, (limits.sealed_percent_warning, limits.sealed_percent_error),
            f"{facts.begun - facts.sealed} of {facts.begun} matches of the last day began without a sealed forecast",
            low=True,
        )  # fmt: skip
    if not facts.begun:
        return Checked("no match of the last day could have been sealed", tuple(found), metrics)
    return Checked(
        f"{facts.sealed} of {facts.begun} matches of the last day were sealed in time", tuple(found), metrics
    )


def _verified(facts: ForecastFacts, ledger: ModelFacts, now: dt.datetime, limits: HealthSettings) -> list[Finding]:
    if ledger.verification is not None and ledger.verification.get("broken"):
        return [error("ledger_broken", f"the ledger does not verify: {ledger.verification['broken']}")]
    last = ledger.verified_at or facts.opened_at
    if last is None:
        return []
    hours = (now - last).total_seconds() / 3600
    if hours < limits.verified_hours:
        return []
    said = f"was last verified {hours:.1f} hours ago" if ledger.verified_at else "has never been verified here"
    return [warning("ledger_unverified", f"the ledger {said}")]
