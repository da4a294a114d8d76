"""`tipoff models`: which models there are, what they promised and scored, and which one forecasts."""

from __future__ import annotations

from typing import Any

import typer
from rich.table import Table

from tipoff.backtest.report import as_json
from tipoff.cli.context import database, read_settings
from tipoff.cli.output import out, print_json, wide
from tipoff.clock import SystemClock
from tipoff.errors import ArtifactError, ModelFileError
from tipoff.forecast.gate import judge
from tipoff.forecast.params import params_from_dict
from tipoff.pipeline import registry, watch
from tipoff.pipeline.wiring import artifacts
from tipoff.storage import matches, models
from tipoff.storage.models import Registered

Json = typer.Option(False, "--json", help="One JSON value on stdout and nothing else.")
Name = typer.Argument(help="Version number, sha256 or its beginning, or active.")
app = typer.Typer(no_args_is_help=True, help="Models: list, show, compare, activate (also back), prune.")


def summary(model: Registered) -> dict[str, Any]:
    """A model without its document, as JSON values."""
    values: dict[str, Any] = as_json(model)
    document = values.pop("document")
    values.pop("gate")
    first = (document.get("measured", {}).get("models") or [{}])[0]
    values["promised"] = {k: v["mean"] for k, v in first.get("measures", {}).items()}
    values["fit"] = document.get("fit", {})
    values["data"] = document.get("data", {})
    return values


@app.command(name="list")
def list_models(json: bool = Json) -> None:
    """Every model, newest first, with its verdict and what its sealed forecasts scored."""
    with database(read_settings()) as pool, pool.connection() as connection:
        found, scored = models.listed(connection), models.scored(connection)
    if json:
        print_json([{**summary(m), "sealed": scored.get(m.sha256)} for m in found])
        return
    table = Table(title="Models", title_justify="left")
    for name in ("version", "sha256", "trained", "state", "promised log loss", "sealed log loss (n)", "why"):
        table.add_column(name, no_wrap=name != "why", overflow="fold")
    for m in found:
        promised, seen = summary(m)["promised"].get("log_loss"), scored.get(m.sha256)
        table.add_row(
            str(m.version), m.sha256[:12], f"{m.created_at:%Y-%m-%d %H:%M}", _state(m),
            "-" if promised is None else f"{promised:.4f}",
            f"{seen['log_loss']:.4f} ({seen['matches']})" if seen else "-", m.reason.partition("; ")[0],
        )  # fmt: skip
    wide(table)


def _state(model: Registered) -> str:
    if model.active:
        return "champion"
    return f"{model.verdict}, pruned" if model.pruned_at else model.verdict


@app.command()
def show(name: str = Name, json: bool = Json) -> None:
    """One model whole: parameters, data, gate, importance of its parts, drift, and whether its files verify."""
    settings = read_settings()
    with database(settings) as pool, artifacts(settings) as store:
        with pool.connection() as connection:
            model = models.find(connection, name)
            worth = models.importance_of(connection, model.sha256)
        drifts = watch.drift(pool, settings.horizons, SystemClock().now()) if model.active else []
        files = "verified"
        try:
            registry.read_stored(store, model.sha256)
        except (ArtifactError, ModelFileError) as error:
            files = "pruned" if model.pruned_at else str(error)
    if json:
        print_json({**as_json(model), "files": files, "importance": worth, "drift": as_json(drifts)})
        return
    out.print(f"model {model.version} {model.sha256}: {_state(model)}", highlight=False)
    out.print(f"  why: {model.reason}", highlight=False)
    out.print(f"  code {model.code_version}, {model.size_bytes:,} bytes, files: {files}", highlight=False)
    out.print(f"  fit: {model.document.get('fit')}", highlight=False)
    out.print(f"  data: {model.document.get('data')}", highlight=False)
    named = model.document["params"].get("additions") or ["none"]
    out.print(f"  additions: {', '.join(named)}", highlight=False)
    for which in ("margin", "total"):
        out.print(f"  {which}: {model.document['params'][which]}", highlight=False)
    for d in drifts:
        out.print(
            f"  last days {d.measure}: {d.seen:.4f} ({d.low:.4f} to {d.high:.4f}), promised {d.promised:.4f}: "
            f"{'DRIFTED' if d.drifted else 'as promised'}", highlight=False,
        )  # fmt: skip
    if worth:
        _importance_table(worth)


def _importance_table(worth: list[dict[str, Any]]) -> None:
    table = Table(title="What leaving a part out costs (95 % interval)", title_justify="left")
    for name in ("part", "log loss", "MAE margin", "MAE total"):
        table.add_column(name, no_wrap=True, justify="left" if name == "part" else "right")
    for w in worth:
        table.add_row(
            w["group"],
            *(f"{w[k]:+.4f} ({w[k + '_low']:+.4f} to {w[k + '_high']:+.4f})"
              for k in ("log_loss", "margin_mae", "total_mae")),
        )  # fmt: skip
    wide(table)


@app.command()
def compare(
    name: str = Name,
    other: str = typer.Argument("active", help="The model to compare with (default: the champion)."),
    json: bool = Json,
) -> None:
    """Judge a model against another on the last days, as the gate does; nothing is changed."""
    settings = read_settings()
    with database(settings) as pool, artifacts(settings) as store:
        with pool.connection() as connection:
            one, two = models.find(connection, name), models.find(connection, other)
            known = [m for m in matches.results(connection, settings.learn_older) if m.knowable_at <= one.created_at]
        verdict = judge(registry.read_stored(store, one.sha256), params_from_dict(two.document["params"]), known)
    if json:
        print_json({"model": one.version, "against": two.version, "passed": verdict.passed, **as_json(verdict)})
        return
    out.print(
        f"model {one.version} against {two.version} on {verdict.matches} results, {verdict.first} to {verdict.last}:",
        highlight=False,
    )
    for check in verdict.checks:
        out.print(f"  {'ok  ' if check.passed else 'FAIL'} {check.name}: {check.detail}", highlight=False)


@app.command()
def activate(name: str = Name) -> None:
    """Let this model forecast; going back is activating an older one. Refused models cannot be activated."""
    settings = read_settings()
    with database(settings) as pool, artifacts(settings) as store:
        with pool.connection() as connection:
            model = models.find(connection, name)
        if model.pruned_at is None:
            registry.read_stored(store, model.sha256)
        with pool.connection() as connection, connection.transaction():
            models.lock_champion(connection)
            models.activate(connection, model.sha256, SystemClock().now())
    out.print(f"model {model.version} ({model.sha256[:12]}) forecasts now", highlight=False)


@app.command()
def prune(keep: int = typer.Option(10, min=1, help="How many of the newest models keep their files.")) -> None:
    """Delete the files of old models; what they were and scored stays in the record."""
    settings = read_settings()
    with database(settings) as pool, artifacts(settings) as store:
        gone = registry.prune(pool, store, keep, SystemClock().now())
    out.print(f"{len(gone)} models pruned: {', '.join(str(m.version) for m in gone) or 'none'}", highlight=False)
