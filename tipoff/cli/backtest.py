"""`tipoff backtest`: honest figures from recorded days, without a database."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json as json_module
from collections import Counter
from pathlib import Path
from typing import Any

import typer

from tipoff.backtest.market import compare_with_market
from tipoff.backtest.older import WithOlder, WithoutOlder
from tipoff.backtest.report import as_json, forecast_lines, report
from tipoff.backtest.run import Window, default_window, refuse_leaks, run_backtest
from tipoff.cli.context import parse_day
from tipoff.cli.groups import groups_tables
from tipoff.cli.market import market_tables
from tipoff.cli.output import err, measures_table, print_json, progress
from tipoff.domain.match import Match
from tipoff.domain.quote import Posted
from tipoff.errors import InputError
from tipoff.forecast.additions import named
from tipoff.forecast.baselines import ladder
from tipoff.forecast.forecaster import Forecaster
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.params import BUILT_IN, Params
from tipoff.ingest.matching import match_quotes
from tipoff.ingest.parse import parse
from tipoff.ingest.quotes import read_quotes
from tipoff.pipeline.transfer.results import is_export, read_results
from tipoff.upstream.recorded import RecordedSource


def read_folders(paths: list[Path]) -> tuple[list[Match], int]:
    """Matches of several folders joined by external id, the later folder winning; and rows refused."""
    matches: dict[str, Match] = {}
    refused = 0
    for path in paths:
        source = RecordedSource(path)
        for day in source.days:
            for payload in source.fetch_day(day):
                parsed = parse(payload)
                refused += len(parsed.rejected)
                matches.update((m.external_id, m) for m in parsed.matches)
    return list(matches.values()), refused


def read(paths: list[Path], first: str | None) -> tuple[list[Match], frozenset[str], int]:
    """Matches of an export or of folders, ids of its older results, rows refused.

    Older results are there to be learned from: those since the first ordinary day, or since `first`, are left out.
    """
    if not any(is_export(path) for path in paths):
        matches, refused = read_folders(paths)
        return matches, frozenset(), refused
    if len(paths) > 1:
        raise InputError("an export is a whole history: give it alone")
    found = read_results(paths[0])
    graded = [m.start.date() for m in found.matches if m.external_id not in found.older]
    begin = min(graded, default=dt.date.max) if first is None else parse_day(first, "--from")
    kept = [m for m in found.matches if m.external_id not in found.older or m.start.date() < begin]
    return kept, found.older & {m.external_id for m in kept}, 0


def choose(names: list[str], older: frozenset[str] = frozenset(), base: Params = BUILT_IN) -> list[Forecaster]:
    """The models by name; all of them, the filter first, when none is named.

    Where there are older results the filter comes with them and without them. `base` names its additions.
    """
    filters: list[Forecaster] = [GaussianFilter(base=base)]
    if older:
        learned = WithOlder(older, base)
        filters = [learned, WithoutOlder(learned)]
    by_name = {"filter": filters, **{model.name: [model] for model in ladder()}}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise InputError(f"no model {unknown[0]!r}; there are {', '.join(by_name)}")
    return [model for name in names or by_name for model in by_name[name]]


def backtest(
    paths: list[Path] = typer.Argument(..., help="Folders of recorded days (YYYY-MM-DD.json), or an export."),
    fit_until: str | None = typer.Option(None, help="Last day whose matches hyper-parameters are fitted on."),
    first: str | None = typer.Option(None, "--from", help="First day that is graded."),
    last: str | None = typer.Option(None, "--to", help="Last day that is graded."),
    lead: int = typer.Option(2, min=0, help="Minutes before the start at which a match is forecast."),
    model: list[str] = typer.Option([], help="Models to run, the first compared with the others; default all."),
    additions: str = typer.Option("all", help="Additions of the filter: all, none, or names between commas."),
    odds: Path | None = typer.Option(None, help="Posted prices (JSON lines, CSV): the filter against the market."),
    groups: bool = typer.Option(False, "--groups", help="Also for whom the first model's intervals are right."),
    forecasts: Path | None = typer.Option(None, help="Write one JSON object a graded match to this file."),
    json: bool = typer.Option(False, "--json", help="One JSON value on stdout and nothing else."),
) -> None:
    """Forecast recorded matches walking forward, and measure it; fails when it looks like a leak."""
    base = dataclasses.replace(BUILT_IN, additions=named(additions))
    choose(model)
    posted = [] if odds is None else _posted(odds, model)
    matches, older, refused = read(paths, first)
    models = choose(model, older, base)
    window = _window([m for m in matches if m.external_id not in older], fit_until, first, last, lead)
    with progress("backtest") as say:
        result = run_backtest(matches, window, models, say)
    against = None if odds is None else _against(posted, matches, window, models)
    if forecasts is not None:
        with forecasts.open("w") as file:
            for line in forecast_lines(result, models[0].name):
                file.write(json_module.dumps(line) + "\n")
    if json:
        print_json(report(result) | ({} if against is None else {"odds": against}))
    else:
        measures_table(report(result))
        if groups:
            groups_tables(report(result)["models"][0])
        if against is not None:
            market_tables(against)
    if refused:
        err.print(f"{refused} rows could not be believed and were left out", highlight=False)
    refuse_leaks(result)


def _posted(path: Path, models: list[str]) -> list[Posted]:
    """A file of prices, read before anything is fitted; raises InputError where there is no filter to compare."""
    if models and "filter" not in models:
        raise InputError("--odds compares the filter: leave --model out, or name filter among them")
    return list(read_quotes(path))


def _against(posted: list[Posted], matches: list[Match], window: Window, models: list[Forecaster]) -> dict[str, Any]:
    """The filter against posted prices, with what could not be matched; as JSON values."""
    fitted = next(model for model in models if isinstance(model, GaussianFilter))
    found = match_quotes(dict.fromkeys(posted), matches)
    with progress("prices") as say:
        made = compare_with_market(fitted.params_, matches, found.quotes, window, say)
    reasons = Counter(one.reason for one in found.unmatched)
    answer: dict[str, Any] = as_json(made)
    return answer | {
        "prices": made.prices + len(found.unmatched), "left_out": made.left_out | dict(reasons),
        "swapped": found.swapped, "respelled": found.respelled, "unmatched": as_json(found.unmatched),
    }  # fmt: skip


def _window(matches: list[Match], fit_until: str | None, first: str | None, last: str | None, lead: int) -> Window:
    default = default_window(matches, lead)
    begin, end, fit = (
        None if text is None else parse_day(text, option)
        for text, option in ((first, "--from"), (last, "--to"), (fit_until, "--fit-until"))
    )
    if fit is None:
        fit = default.fit_until if begin is None else begin - dt.timedelta(days=1)
    return Window(fit, begin or fit + dt.timedelta(days=1), end or default.last, lead)
