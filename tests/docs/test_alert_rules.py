"""Prometheus's own tool on our rules and panels: each rule fires, each has a runbook, each question can be read."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.metrics import PROMETHEUS, panels, promtool, rules

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, cwd: Path = PROMETHEUS) -> None:
    """promtool, which must agree."""
    done = subprocess.run([promtool(), *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_rules() -> None:
    """A file that Prometheus refuses to load."""
    run("check", "rules", "alerts.yml")


def test_every_rule_fires_and_only_when_it_should() -> None:
    """An alert that can never come, or that comes while all is well."""
    run("test", "rules", "alerts_test.yml")
    tested: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    moments = [moment for test in tested for moment in test["alert_rule_test"]]
    named = {rule["alert"] for rule in rules()}
    assert {moment["alertname"] for moment in moments if moment["exp_alerts"]} == named
    assert {moment["alertname"] for moment in moments if not moment["exp_alerts"]} == named


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    """An alert at night without a word on what to do."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    for rule in rules():
        name = rule["alert"]
        assert rule["for"], name
        assert rule["labels"]["severity"] in ("warning", "error"), name
        assert rule["annotations"]["summary"], name
        assert rule["annotations"]["description"], name
        assert rule["annotations"]["runbook"] == f"docs/troubleshooting.md#{name.lower()}"
        assert f"\n### {name}\n" in page, f"docs/troubleshooting.md says nothing of {name}"


def test_every_panel_asks_what_prometheus_can_read(tmp_path: Path) -> None:
    """A panel with an error instead of a curve."""
    asked = [
        {"record": f"panel:{n}", "expr": expr.replace("$__rate_interval", "5m")} for n, expr in enumerate(panels())
    ]
    assert len(asked) > 40
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": asked}]}))
    run("check", "rules", "panels.yml", cwd=tmp_path)


def test_the_example_of_a_configuration_is_one(tmp_path: Path) -> None:
    """An example that does not work."""
    text = (PROMETHEUS / "prometheus.yml").read_text()
    (tmp_path / "key").write_text("tipoff_example\n")
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus/tipoff-key", "key"))
    (tmp_path / "alerts.yml").write_text((PROMETHEUS / "alerts.yml").read_text())
    run("check", "config", "prometheus.yml", cwd=tmp_path)
