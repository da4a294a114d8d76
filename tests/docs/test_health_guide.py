"""The pages on health say what the code does."""

from __future__ import annotations

import re

from scripts.health_settings import BEGIN, END, table
from tests.jobs import ROOT
from tipoff.health.rules import CHECKS, RULES

HEALTH = (ROOT / "docs" / "health.md").read_text()
TROUBLE = (ROOT / "docs" / "troubleshooting.md").read_text()


def test_every_rule_has_a_section_that_says_what_to_do() -> None:
    """An alert at night that no page explains; a section of a rule that is gone."""
    page = TROUBLE.partition("## Alerts\n")[2].partition("\n## ")[0]
    sections = dict(re.findall(r"### `(\w+)`\n\n(.*?)(?=\n### |\Z)", page, re.DOTALL))
    assert set(sections) == set(RULES)
    assert all(len(text) > 60 for text in sections.values())
    for name, rule in RULES.items():
        assert rule.check in CHECKS, name
        assert len(rule.remedy) > 20, name


def test_the_thresholds_are_those_of_the_code() -> None:
    """A default typed by hand; a setting nobody can find."""
    assert HEALTH.partition(BEGIN)[2].partition(END)[0] == table()


def test_every_check_is_explained() -> None:
    """A check nobody can find."""
    assert all(f"| `{name}` |" in HEALTH for name in CHECKS)
