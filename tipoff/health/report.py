"""What a look at the system found: findings by check, each with how bad, since when, and what to do."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from typing import Any


class Status(enum.StrEnum):
    """How a check or the whole system is."""

    HEALTHY = "healthy"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 is best."""
        return list(Status).index(self)


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `rule` is in `health.rules`, `subject` tells several of one rule apart."""

    rule: str
    severity: Status
    message: str
    remedy: str
    subject: str = ""
    since: dt.datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same finding at the next look."""
        return self.rule, self.subject


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. `looked` is False where it could not look: then it is no proof that all is well."""

    good: str
    findings: tuple[Finding, ...] = ()
    metrics: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    looked: bool = True
    since: dt.datetime | None = None

    @property
    def status(self) -> Status:
        """That of its worst finding."""
        return max((f.severity for f in self.findings), key=lambda s: s.rank, default=Status.HEALTHY)

    @property
    def worst(self) -> Finding | None:
        """Its first finding of the worst severity."""
        return next((f for f in self.findings if f.severity is self.status), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """One look at everything."""

    checks: Mapping[str, Checked]
    checked_at: dt.datetime
    duration_ms: float
    checker: str
    began: dt.datetime | None = None
    """when the look began: what it found wrong was so by then"""

    @property
    def status(self) -> Status:
        """That of the worst check."""
        return max((c.status for c in self.checks.values()), key=lambda s: s.rank, default=Status.HEALTHY)

    @property
    def findings(self) -> list[Finding]:
        """All of them."""
        return [finding for check in self.checks.values() for finding in check.findings]

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures of all checks."""
        return {name: value for check in self.checks.values() for name, value in check.metrics.items()}

    def since(self, before: Report | None) -> Report:
        """The same, saying since when each status and each finding has been so, going by the look before."""
        return dataclasses.replace(
            self, checks={name: self._since(name, check, before) for name, check in self.checks.items()}
        )

    def _since(self, name: str, check: Checked, before: Report | None) -> Checked:
        earlier = before.checks.get(name) if before else None
        began = {f.key: f.since for f in earlier.findings} if earlier else {}
        same = earlier is not None and earlier.status is check.status
        return dataclasses.replace(
            check,
            since=(earlier.since if same and earlier else None) or self.began or self.checked_at,
            findings=tuple(
                dataclasses.replace(f, since=f.since or began.get(f.key) or self.began or self.checked_at)
                for f in check.findings
            ),
        )

    def as_json(self) -> dict[str, Any]:
        """As the API and `tipoff health --json` say it."""
        found = self.findings
        return {
            "overall_status": self.status.value,
            "checks": {name: _check_as_json(check) for name, check in self.checks.items()},
            "metrics": self.metrics,
            "warnings": [f.message for f in found if f.severity is Status.WARNING],
            "errors": [f.message for f in found if f.severity is Status.ERROR],
            "checked_at": self.checked_at.isoformat(),
            "duration_ms": round(self.duration_ms, 1),
            "checker": self.checker,
        }


def _check_as_json(check: Checked) -> dict[str, Any]:
    worst = check.worst
    return {
        "status": check.status.value,
        "message": worst.message if worst else check.good,
        "remedy": worst.remedy if worst else None,
        "since": _iso(check.since),
        "metrics": dict(check.metrics),
        "looked": check.looked,
        "findings": [
            {"rule": f.rule, "subject": f.subject, "severity": f.severity.value, "message": f.message,
             "remedy": f.remedy, "since": _iso(f.since)}
            for f in check.findings
        ],
    }  # fmt: skip


def seconds_since(moment: dt.datetime | None, now: dt.datetime) -> float | None:
    """How long ago that was; None where it never was."""
    return None if moment is None else round(max(0.0, (now - moment).total_seconds()), 1)


def _iso(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def read_report(value: Mapping[str, Any]) -> Report:
    """The inverse of `as_json`; raises KeyError, ValueError, TypeError or AttributeError on what is no report."""
    return Report(
        {name: _read_check(check) for name, check in value["checks"].items()},
        dt.datetime.fromisoformat(value["checked_at"]), float(value["duration_ms"]), str(value["checker"]),
    )  # fmt: skip


def _read_check(value: Mapping[str, Any]) -> Checked:
    findings: Sequence[Mapping[str, Any]] = value["findings"]
    return Checked(
        value["message"] if not findings else "",
        tuple(
            Finding(
                str(f["rule"]), Status(f["severity"]), str(f["message"]), str(f["remedy"]), str(f["subject"]),
                _moment(f["since"]),
            )
            for f in findings
        ),
        {k: v for k, v in value["metrics"].items() if v is None or isinstance(v, str | int | float)},
        bool(value["looked"]), _moment(value["since"]),
    )  # fmt: skip


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
