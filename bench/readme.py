"""The README's figures, between two marks, from bench/results.json and bench/chaos.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.forecast import worth
from bench.scaling import capacity, deployment

README = Path(__file__).resolve().parents[1] / "README.md"
SCALING, FORECAST = (README.parent / "docs" / name for name in ("scaling.md", "forecast.md"))
RESULTS, CHAOS = README.parent / "bench" / "results.json", README.parent / "bench" / "chaos.json"
BEGIN, END = "<!-- figures: written by make bench -->", "<!-- end of figures -->"


def figures(results: dict[str, Any]) -> str:
    """Markdown tables of what was measured."""
    parts = []
    if results["backtest"]:
        parts += [_quality(results["backtest"]), ""]
    rates = results["replay"]["matches_a_second"]
    parts += [
        f"Speed on one core, {results['replay']['matches']:,} matches ({results['machine']['processor']}):",
        "",
        "| what | matches a second |",
        "|---|---|",
        *(f"| {name} | {rate:,.0f} |" for name, rate in rates.items()),
        "",
        f"Fitting {results['fit']['matches']:,} matches from cold takes {results['fit']['cold_seconds']:.0f} s, "
        f"again a day later {results['fit']['warm_seconds']:.0f} s, with {results['fit']['peak_mb']:.0f} MB at most.",
    ]
    if results["ingest"]:
        parts[-1] += (
            f" Reading {results['ingest']['rows']:,} rows into Postgres takes {results['ingest']['seconds']:.1f} s."
        )
    parts.append(
        " ".join(
            f"{c['matches']:,} simulated matches: {c['microseconds_a_match']:.1f} us a match, "
            f"{c['table_bytes_a_match']:.0f} bytes a match."
            for c in results["cost"]
        )
    )
    sealing, gate = results["sealing"], results["gate"]
    parts += [
        "",
        f"Sealing: {sealing['sealed_a_second_in_batches']:,.0f} forecasts a second in batches, "
        f"{sealing['sealed_a_second_one_by_one']:,.0f} one by one (plain inserts: "
        f"{sealing['plain_inserts_a_second']:,.0f}). Verifying {sealing['rows']:,} rows takes "
        f"{sealing['verify_seconds']:.1f} s, of which hashing alone {sealing['hash_alone_seconds']:.1f} s. The gate "
        f"judges a challenger on {gate['matches']:,} matches in {gate['seconds']:.1f} s (one walk over them: "
        f"{gate['one_walk_seconds']:.2f} s).",
    ]
    parts += ["", *_jobs(results["queues"])]
    if results["pipeline"]:
        parts += ["", _pipeline(results["pipeline"])]
    if "api" in results:
        parts += ["", *_api(results["api"])]
    if "pages" in results:
        parts += ["", _pages(results["pages"])]
    chaos = json.loads(CHAOS.read_text())
    if "production" in results:
        parts += ["", *deployment(results["production"], chaos)]
    parts += ["", _chaos(chaos), "", _api_chaos(chaos)]
    commits = ", ".join(f"`{commit[:12]}`" for commit in dict.fromkeys(results["commits"].values()))
    parts += ["", f"Measured at commit {commits}; everything is in `bench/results.json`."]
    return "\n".join(parts)


def _jobs(queues: dict[str, Any]) -> list[str]:
    names = {"tipoff": "Tipoff", "pgqueuer": "PgQueuer (asyncpg)", "procrastinate": "procrastinate"}
    return [
        f"Jobs beside two libraries: same body, Postgres and run, {queues['concurrency']} at a time in one worker. "
        "Tipoff runs each in a process of its own below a guard that can end it, the others run it in the worker:",
        "",
        "| queue | added to begun, idle, p50 / p95 | no-op jobs a second | worker killed to begun again, p50 / max "
        "| queries a second of an idle worker |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {q['pick_up_p50_ms']:.1f} / {q['pick_up_p95_ms']:.1f} ms | {q['jobs_a_second']:,.0f} "
            f"| {q['recovery_p50_s']:.1f} / {q['recovery_max_s']:.1f} s | {q['idle_queries_a_second']:.1f} |"
            for key, name in names.items() for q in [queues[key]]
        ),
    ]  # fmt: skip


def _pipeline(pipeline: dict[str, Any]) -> str:
    said = {
        "thirty_days": "The full pipeline with training on the last 30 recorded days",
        "everything": "on all {days} days",
        "years": "on copies of them over {days:,} days",
    }
    parts = [
        f"{words.format(**p)} ({p['results']:,} results): {p['queries']} queries, {p['peak_mb']} MB at most, "
        f"{p['seconds']:.0f} s"
        for key, words in said.items() for p in [pipeline[key]]
    ]  # fmt: skip
    return "; ".join(parts) + "."


def _pages(found: dict[str, Any]) -> str:
    pages = found["pages"]
    shown = {"/": "Upcoming", "/matches/{external_id:name}": "a match", "/record": "the record", "/jobs": "jobs"}
    named = ", ".join(
        f"{name} {pages[path]['first_ms']:.0f} ms ({pages[path]['again_ms']:.0f} ms again within seconds, "
        f"{pages[path]['gzipped_bytes'] / 1000:.1f} KB)"
        for path, name in shown.items()
    )  # fmt: skip
    slowest = max(pages, key=lambda path: pages[path]["first_ms"])
    return (
        f"The dashboard with {found['matches']:,} matches in the database, its worker going on: {named}; the slowest "
        f"of {len(pages)} pages (`{slowest}`) {pages[slowest]['first_ms']:.0f} ms. The cheapest answer of the same "
        f"process: {found['floor']:.1f} ms."
    )


def _api(api: dict[str, Any]) -> list[str]:
    kinds = {
        "match": "one match (by id, never cached)", "job": "one job (by id, never cached)",
        "cached_list": "50 matches, the same each time", "list": "50 matches, others each time",
    }  # fmt: skip
    idle, loaded = api["idle"], api["loaded"]
    return [
        f"The API with production settings (key check, limits, JSON log, ETag), {api['matches']:,} matches and "
        f"{api['jobs']:,} jobs, beside asynchronous Starlette and psycopg that does the same queries and JSON and "
        f"nothing else; one process and three database connections each, {api['connections']} clients, median of "
        f"{api['rounds']} rounds in turn:",
        "",
        "| GET | answers a second | bare | ratio (lowest to highest) | p50 / p95 / p99 | bare |",
        "|---|---|---|---|---|---|",
        *(
            f"| {name} | {k['tipoff']['a_second']:,.0f} | {k['peer']['a_second']:,.0f} | {k['ratio']:.2f} "
            f"({k['ratio_low']:.2f} to {k['ratio_high']:.2f}) | {_latencies(k['tipoff'])} | {_latencies(k['peer'])} |"
            for key, name in kinds.items() for k in [api[key]]
        ),
        "",
        f"Memory of the web process: {idle['rss_mb']:.0f} MB idle (PSS {idle['pss_mb']:.0f}), "
        f"{loaded['peak_mb']:.0f} MB at most under that load (PSS {loaded['pss_mb']:.0f}).",
    ]  # fmt: skip


def _latencies(measured: dict[str, Any]) -> str:
    return " / ".join(f"{measured[f'p{share}_ms']:.0f}" for share in (50, 95, 99)) + " ms"


def _chaos(chaos: dict[str, Any]) -> str:
    kills, outages, ticks = chaos["kills"], chaos["outages"], chaos["schedules"]
    return (
        f"`make chaos` (commits in `bench/chaos.json`): {kills['jobs']:,} jobs, {sum(kills['kills'].values())} kills "
        f"(-9) of workers and their processes: {kills['lost']} lost, {kills['doubled']} effects doubled, running "
        f"elsewhere after {kills['recovery_p50']:.1f} s (p95 {kills['recovery_p95']:.1f} s). Postgres killed (-9) "
        f"{outages['kills']} times under load and away for {outages['seconds_stopped']} s: {outages['lost']} of "
        f"{outages['acknowledged']} acknowledged jobs lost, no worker started again. {ticks['workers']} workers, "
        f"{ticks['killed']} of them killed, {ticks['ticks']} ticks of a one-second schedule: {ticks['enqueued']} "
        f"enqueued once, {ticks['skipped']} skipped and {ticks['missed']} missed, each accounted for."
    )


def _api_chaos(chaos: dict[str, Any]) -> str:
    fuzz, live, plans = chaos["fuzz"], chaos["live"], chaos["plans"]
    endpoint, took = max(plans["slowest_ms"].items(), key=lambda one: one[1])
    return (
        f"The API in `make chaos`: {fuzz['requests']:,} requests by schemathesis to {fuzz['operations']} operations, "
        f"at least {fuzz['fewest_successes']} successes of each, no 5xx, nothing that its document does not say. "
        f"{live['streams']:,} WebSockets on {live['processes']} processes, {live['changes']} changes of a job: "
        f"{live['within_a_second']:.2%} seen within a second (p50 {live['seconds_p50']:.2f} s, p99 "
        f"{live['seconds_p99']:.2f} s), no older revision after a newer one. {plans['matches']:,} matches and "
        f"{plans['jobs']:,} jobs: no question reads a table whole; the slowest takes {took:.0f} ms (`{endpoint}`)."
    )


def _quality(backtest: dict[str, Any]) -> str:
    window = backtest["window"]
    lines = [
        f"{backtest['matches']:,} real matches, {window['first']} to {window['last']}, each forecast "
        f"{window['lead']} minutes ahead from what was knowable; hyper-parameters fitted until {window['fit_until']} "
        "(their priors are centred on values found until 18 July, so the first 12 days are not entirely clean):",
        "",
        "| model | log loss (95 % interval) | accuracy | ECE | MAE margin | MAE total | 80 % covers margin, total |",
        "|---|---|---|---|---|---|---|",
    ]
    for model in backtest["models"]:
        m = model["measures"]
        lines.append(
            f"| {model['name']} | {m['log_loss']['mean']:.4f} ({m['log_loss']['low']:.4f} to "
            f"{m['log_loss']['high']:.4f}) | {m['hit']['mean']:.1%} | {model['ece']:.3f} | "
            f"{m['margin_error']['mean']:.2f} | {m['total_error']['mean']:.2f} | "
            f"{m['margin_inside']['mean']:.1%}, {m['total_inside']['mean']:.1%} |"
        )
    return "\n".join(lines)


def write_figures() -> None:
    """Replace what stands between the marks."""
    results = json.loads(RESULTS.read_text())
    _write(README, figures(results))
    if "production" in results:
        _write(SCALING, capacity(results["production"]))
    if results.get("additions"):
        _write(FORECAST, worth(results["additions"]))


def _write(page: Path, found: str) -> None:
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{found}\n{END}{after}")


if __name__ == "__main__":
    write_figures()
