"""What older results are worth: a backtest on an export, with them and without."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.acceptance.test_command_line import tipoff
from tests.integration.test_ingest import bring
from tests.older import told_2025, told_2026, wire_2025, wire_2026
from tests.simulated import simulate
from tipoff.backtest.older import WithOlder, WithoutOlder
from tipoff.backtest.run import Window, run_backtest
from tipoff.cli.backtest import choose, read
from tipoff.domain.match import Match
from tipoff.errors import InputError
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.table import in_order
from tipoff.pipeline.transfer.export import export
from tipoff.pipeline.transfer.results import read_results
from tipoff.storage.artifacts import DirectoryStore
from tipoff.storage.pool import open_pool

DAY = dt.timedelta(days=1)
OLD, DAYS = 12, 16
MATCHES = in_order(simulate(DAYS)[0])
BEGIN = MATCHES[0].start.date() + OLD * DAY


def is_old(match: Match) -> bool:
    """The first days are told by the 2025 API alone, and so is a match of the last day."""
    return match.start.date() < BEGIN or match is MATCHES[-1]


@pytest.fixture
def exported(dsn: str, tmp_path: Path) -> Path:
    """An instance that has fetched older results, as a file."""
    with contextlib.closing(open_pool(dsn)) as pool:
        end = MATCHES[-1].start + DAY
        old, known = [m for m in MATCHES if is_old(m)], [m for m in MATCHES if not is_old(m)]
        bring(pool, told_2026([wire_2026(m) for m in known], end))
        bring(pool, told_2025([wire_2025(m) for m in old], end, BEGIN - DAY))
        export(pool, DirectoryStore(tmp_path), tmp_path / "all.tar", end)
    return tmp_path / "all.tar"


def test_an_export_is_read_without_a_database(exported: Path) -> None:
    """Results that change on the way, or older ones that pass for the league's own."""
    found = read_results(exported)
    assert in_order(found.matches) == MATCHES
    assert found.older == {m.external_id for m in MATCHES if is_old(m)}
    kept, older, _ = read([exported], None)
    assert in_order(kept) == MATCHES[:-1], "an older result of graded days is graded by nobody"
    assert older == found.older - {MATCHES[-1].external_id}


def test_with_and_without_differ_by_the_older_results_alone(exported: Path) -> None:
    """A filter "without" that has seen some, or that has other hyper-parameters."""
    kept, older, _ = read([exported], None)
    window = Window(BEGIN, BEGIN + DAY, BEGIN + 3 * DAY)
    learned = WithOlder(older)
    learned.params = BUILT_IN
    done = run_backtest(kept, window, [learned, WithoutOlder(learned)])
    plain = run_backtest([m for m in kept if not is_old(m)], window, [GaussianFilter(BUILT_IN)])
    whole = run_backtest(kept, window, [GaussianFilter(BUILT_IN)])
    for name, other in (("without older", plain), ("filter", whole)):
        for one, same in zip(_columns(done, name), _columns(other, "filter"), strict=True):
            np.testing.assert_array_equal(one, same)
    [_, without] = done.models
    assert without.difference is not None
    assert without.difference.n > 500
    assert without.difference.high < 0, "in this league the older results help"


def _columns(done: Any, name: str) -> list[Any]:
    made = done.forecasts[name]
    return [made.p_a, made.margin_mean, made.margin_sd, made.total_mean, made.total_sd, made.played]


def test_hyper_parameters_are_fitted_without_them() -> None:
    """A difference that comes from the fit and not from what was learned."""
    tables: list[int] = []

    class Noted(GaussianFilter):
        """A filter that is not fitted."""

        def fit(self, table: Any, _progress: Any = None) -> Any:
            """Notes how many matches it is to fit on."""
            tables.append(len(table))
            self.params_ = BUILT_IN
            return self

    class WithNoted(WithOlder, Noted):
        """The comparison over a fit that only notes what it was given."""

    older = frozenset(m.external_id for m in MATCHES if is_old(m))
    window = Window(BEGIN, BEGIN + DAY, BEGIN + 2 * DAY)
    run_backtest(MATCHES[:-1], window, [WithNoted(older)])
    assert tables == [sum(m.start.date() == BEGIN for m in MATCHES[:-1])]


def test_the_command(exported: Path, tmp_path: Path) -> None:
    """A decision that cannot be measured."""
    done = tipoff(tmp_path, "backtest", str(exported), "--model", "filter", "--json")
    [filter_, without] = json.loads(done.stdout)["models"]
    assert (filter_["name"], without["name"]) == ("filter", "without older")
    assert without["difference"]["n"] == filter_["measures"]["hit"]["n"] > 400
    assert len(choose([])) == len(choose([], frozenset({"one"}))) - 1


def test_what_is_not_whole_is_refused(exported: Path, tmp_path: Path) -> None:
    """Figures from half a history."""
    with pytest.raises(InputError, match="give it alone"):
        read([exported, exported], None)
    text = exported.read_bytes()
    half = tmp_path / "half.tar"
    half.write_bytes(text[: len(text) // 2])
    with pytest.raises(InputError, match="refused"):
        read_results(half)
    changed = tmp_path / "changed.tar"
    place = text.index(b"tables/matches.jsonl.gz") + 512
    changed.write_bytes(text[: place + 40] + bytes([text[place + 40] ^ 1]) + text[place + 41 :])
    with pytest.raises(InputError, match="was changed"):
        read_results(changed)
