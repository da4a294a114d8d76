"""`tipoff record` and `tipoff ledger`: the public record, and the means to check it."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Table

from tipoff.backtest.report import as_json
from tipoff.cli.context import database, read_settings
from tipoff.cli.output import out, print_json, wide
from tipoff.clock import SystemClock
from tipoff.errors import InputError, LedgerError
from tipoff.forecast.bootstrap import Estimate
from tipoff.ledger.chain import Head, Verification, verify
from tipoff.ledger.export import publish_head, read_export, read_heads, tag_head, write_export
from tipoff.ledger.record import PERIODS, Figures, Record
from tipoff.pipeline import watch
from tipoff.pipeline.seal import grade_known
from tipoff.storage import ledger

COLUMNS = ("group", "n", "log loss (95 %)", "accuracy", "Brier", "ECE", "MAE margin", "MAE total", "80 % covers")
Json = typer.Option(False, "--json", help="One JSON value on stdout and nothing else.")
app = typer.Typer(no_args_is_help=True, help="The chain of sealed forecasts: verify, export, publish its head.")


def record(
    by: str = typer.Option("day", "--by", help="Group by day, week or month of the start (UTC)."), json: bool = Json
) -> None:
    """What the sealed forecasts scored: nothing left out, beside baselines, with intervals."""
    if by not in PERIODS:
        raise InputError(f"--by is day, week or month, got {by!r}")
    settings = read_settings()
    with database(settings) as pool:
        made = watch.record(pool, settings.horizons, SystemClock().now(), by)
    if made is None:
        raise InputError("nothing has been sealed yet: run tipoff up, or tipoff predict shortly before a match")
    if json:
        print_json(as_json(made))
    else:
        record_table(made)


def record_table(made: Record) -> None:
    """The record as tables."""
    kind = "REPLAY (its times are a replay's)" if made.clock == "replay" else "sealed by the database's clock"
    out.print(f"Record since {made.opened_at:%Y-%m-%d %H:%M} UTC, {kind}.", highlight=False)
    for c in made.coverage:
        share = f"{c.share:.1%}" if c.played else "-"
        out.print(
            f"  {c.horizon} min before: {c.sealed} of {c.played} matches played were sealed ({share}); "
            f"{len(c.missing)} played without a sealed forecast", highlight=False,
        )  # fmt: skip
    out.print("  " + ", ".join(f"{n} {name}" for name, n in made.statuses.items())
              + f", {len(made.corrections)} graded again after a correction", highlight=False)  # fmt: skip
    table = Table(title=f"Graded forecasts ({made.main} min before, unless said)", title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "group" else "right", no_wrap=True)
    for group, members in (
        ("min before", made.by_horizon), ("", made.by_period), ("model", made.by_model), ("sure", made.by_confidence),
    ):  # fmt: skip
        for name, figures in members.items():
            table.add_row(f"{name} {group}".strip(), *_cells(figures))
    wide(table)
    for b in made.baselines:
        out.print(
            f"  {b.name}: log loss {b.log_loss.mean:.4f}, accuracy {b.accuracy.mean:.1%}; the sealed forecasts are "
            f"{-b.difference.mean:+.4f} better (95 % interval {-b.difference.high:+.4f} to {-b.difference.low:+.4f})",
            highlight=False,
        )
    for p in made.prices:
        errors = ""
        if p.line_error is not None and p.our_error is not None:
            errors = f"; MAE of its line {p.line_error.mean:.2f}, ours {p.our_error.mean:.2f}"
        out.print(
            f"  {p.bookmaker}, {p.market}, {p.matches} matches: log loss of its prices {p.price_log_loss.mean:.4f}, "
            f"ours {p.our_log_loss.mean:.4f}{errors}", highlight=False,
        )  # fmt: skip
    for one in made.bins:
        ends = f"{one.share_low:.0%} to {one.share_high:.0%}"
        out.print(
            f"  P(A) said {one.mean_forecast:.0%}, came {one.share_won:.0%} (n={one.n}, 95 % interval {ends})",
            highlight=False,
        )


def _cells(figures: Figures) -> list[str]:
    if not figures.n:
        return ["0", *["-"] * 7]
    m = figures.measures
    return [
        str(figures.n), _interval(m["log_loss"]), f"{m['hit'].mean:.1%}", f"{m['brier'].mean:.4f}",
        f"{figures.ece or 0:.3f}", f"{m['margin_error'].mean:.2f}", f"{m['total_error'].mean:.2f}",
        f"{m['margin_inside'].mean:.0%}, {m['total_inside'].mean:.0%}",
    ]  # fmt: skip


def _interval(e: Estimate) -> str:
    ends = "" if e.low != e.low else f" ({e.low:.3f}-{e.high:.3f})"
    return f"{e.mean:.4f}{ends}"


def verification_words(found: Verification) -> str:
    """One sentence on a chain that verified."""
    head = found.head
    words = f"Ledger verified: {found.rows} rows"
    if head is not None:
        words += f", head {head.seq} {head.hash}"
    return words + (f", compared with {found.heads_compared} saved heads" if found.heads_compared else "")


@app.command(name="verify")
def verify_command(
    head: Path | None = typer.Option(None, help="Compare with the heads saved in this file."),
    from_export: Path | None = typer.Option(None, help="Verify this export instead of the database."),
    json: bool = Json,
) -> None:
    """Recompute the whole chain from nothing; names the first broken row and exits with 1 if there is one."""
    heads = read_heads(head) if head else []
    notes: list[str] = []
    wrong: list[int] = []
    if from_export is not None:
        found = verify(read_export(from_export), heads)
    else:
        with database(read_settings()) as pool:
            found, wrong, owner = watch.verify_database(pool, heads)
        if owner:
            notes.append("this database role could switch the ledger's guard off: rely on published heads (--head)")
    if found.rows == 0 and found.broken is None:
        notes.append("the ledger is empty")
    if json:
        print_json({**as_json(found), "differing_predictions": wrong, "notes": notes})
    elif found.broken is None and not wrong:
        out.print(verification_words(found), highlight=False)
        for note in notes:
            out.print(f"note: {note}", highlight=False)
    if found.broken is not None:
        raise LedgerError(f"row {found.broken.seq} is broken: {found.broken.reason}")
    if wrong:
        raise LedgerError(f"match_predictions differs from the ledger at rows {', '.join(map(str, wrong))}")


@app.command()
def export(path: Path = typer.Argument(help="Where to; gzip when the name ends in .gz.")) -> None:
    """Write every row as a JSON line that docs/verify_ledger.py verifies without Tipoff."""
    with database(read_settings()) as pool, pool.connection() as connection:
        count = write_export(path, ledger.rows(connection))
    out.print(f"{count} rows written to {path}", highlight=False)


@app.command()
def publish(
    file: Path | None = typer.Option(None, help="File to append to (default: ledger-heads.jsonl in TIPOFF_HOME)."),
    git_tag: Path | None = typer.Option(None, help="Also set a tag in this git repository; push it to publish."),
) -> None:
    """Publish the head of the chain, with which any later rewriting or cutting is found."""
    settings = read_settings()
    with database(settings) as pool, pool.connection() as connection:
        newest = ledger.head(connection)
    if newest is None:
        raise InputError("the ledger is empty: there is no head to publish")
    head = Head(newest.seq, newest.hash, ledger.content(newest)["at"])
    target = file or settings.heads
    new = publish_head(head, target)
    out.print(f"head {head.seq} {head.hash} {'added to' if new else 'is already in'} {target}", highlight=False)
    if git_tag is not None:
        out.print(f"tag {tag_head(head, git_tag)} in {git_tag}", highlight=False)


@app.command()
def grade() -> None:
    """Grade every sealed forecast whose result is known, and again those that were corrected."""
    with database(read_settings()) as pool:
        out.print(f"{grade_known(pool)} grades added", highlight=False)
