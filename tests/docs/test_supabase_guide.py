"""docs/supabase.md and supabase/config.toml say what the code does."""

from __future__ import annotations

import re
import tomllib

from tests.jobs import ROOT
from tipoff.api.backend import POOL
from tipoff.jobs.types import CleanupParams
from tipoff.settings import Settings
from tipoff.storage.artifacts import MAX_BYTES
from tipoff.storage.hearing import TRANSACTION_POOLER

GUIDE, TROUBLE = (
    " ".join((ROOT / "docs" / name).read_text().split()) for name in ("supabase.md", "troubleshooting.md")
)
CONFIG = tomllib.loads((ROOT / "supabase" / "config.toml").read_text())


def test_the_bucket_is_the_same_everywhere() -> None:
    """A bucket that the CLI makes and another one that the code uses; one that is public."""
    bucket = Settings.model_fields["bucket"].default
    assert CONFIG["storage"]["buckets"] == {bucket: {"public": False, "file_size_limit": f"{MAX_BYTES // 10**6}MB"}}
    assert f"bucket `{bucket}` (`TIPOFF_BUCKET`)" in GUIDE
    assert f"at most {MAX_BYTES // 10**6} MB a file" in GUIDE


def test_its_figures_are_those_of_the_code() -> None:
    """A reader who reckons with connections, ports and models of an older version."""
    for page in (GUIDE, TROUBLE):
        assert re.search(r"web process takes five.*?a worker three.*? job", page)
    assert POOL + 2 == 5
    assert f"`:{TRANSACTION_POOLER}`" in GUIDE
    assert f"the {CleanupParams().keep_models} newest models" in GUIDE
    [version] = set(re.findall(r"supabase@([\d.]+)", GUIDE + (ROOT / ".ci" / "run").read_text()))
    assert f"CLI ({version};" in GUIDE


def test_every_setting_it_names_is_one() -> None:
    """A setting that somebody sets and nobody reads."""
    known = " ".join(str(field.validation_alias) for field in Settings.model_fields.values())
    named = re.findall(r"\b(?:TIPOFF|SUPABASE)_[A-Z_]+|DATABASE_URL", GUIDE)
    assert len(named) > 6
    assert [name for name in named if f"'{name}'" not in known and name not in known.split()] == []
