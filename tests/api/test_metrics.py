"""A real scrape of a process with data in it: what promtool says of it, who may read it, what outages leave."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.jobs import ROOT, eventually
from tests.large import fill
from tests.metrics import HEALTHY, named, panels, promtool, rules
from tests.web import MASTER, WebProcess, make_key
from tipoff.api.access import Scope
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool

LABELS = {
    "method": 8, "route": 60, "status": 30, "type": 20, "le": 20, "check": 10, "reason": 50, "table": 15,
    "severity": 3, "version": 1,
}  # fmt: skip
"""how many values each label may have here"""


def scraped(web: WebProcess, key: str | None = None) -> dict[str, Metric]:
    """Families by name."""
    answer = web.get("/metrics", key)
    assert answer.status_code == 200, answer.text
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    """The only sample with these labels."""
    samples = [sample for family in families.values() for sample in family.samples if sample.name == name]
    [found] = [sample.value for sample in samples if labels.items() <= sample.labels.items()]
    return found


@pytest.fixture(scope="module")
def filled(shared_dsn: str, web: WebProcess) -> WebProcess:
    """The process on a database with something of everything."""
    owner = shared_dsn.replace("user=tipoff_app", "user=postgres")
    with psycopg.connect(owner) as connection:
        eventually(lambda: connection.execute("select from system_health").fetchall(), "the process's first look")
        connection.execute("delete from system_health; delete from alerts")
        fill(connection, 3000, 300)
        connection.execute(HEALTHY)
    web.get("/api/matches?limit=1")
    web.get("/api/matches/M77")
    web.get("/api/matches/M78")
    web.get("/nowhere/at/all")
    web.get("/api/nowhere")
    web.request("PROPFIND", "/api/jobs")
    web.until_logged("PROPFIND")
    return web


def test_promtool_accepts_what_is_scraped(filled: WebProcess) -> None:
    """A name, a type or a help text that Prometheus's own linter objects to."""
    text = filled.get("/metrics").text
    done = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr + done.stdout) == (0, "")


def test_both_formats_are_served(filled: WebProcess) -> None:
    """A scraper that asks for OpenMetrics and cannot read the answer; a header that ends in an error of ours."""
    plain = filled.get("/metrics")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert plain.headers["cache-control"] == "no-store"
    wanted = {"Accept": "application/openmetrics-text;version=1.0.0"}
    answer = filled.get("/metrics", headers=wanted)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    odd = filled.get("/metrics", headers={"Accept": "application/openmetrics-text;version=x.y"})
    assert odd.status_code == 200


def test_requests_are_counted_by_template(filled: WebProcess) -> None:
    """A label for every address that somebody asks for."""
    before = scraped(filled)
    name = "tipoff_http_requests_total"
    assert value(before, name, route="/api/matches/{external_id}", method="GET", status="200") >= 2
    assert value(before, name, route="unmatched", method="GET", status="404") >= 2
    assert value(before, name, route="/api/jobs", method="OTHER", status="405") == 1
    for _ in range(5):
        filled.get("/api/matches?limit=1")  # from what is kept: no route is looked for
    filled.get("/api/matches?limit=2")
    filled.until_logged('"path": "/metrics"')
    after = scraped(filled)
    here = {"route": "/api/matches", "method": "GET", "status": "200"}
    assert value(after, name, **here) - value(before, name, **here) == 6
    assert value(after, "tipoff_http_request_duration_seconds_count", route="/api/matches") == value(
        after, name, **here
    )
    values: dict[str, set[str]] = {}
    for family in after.values():
        for sample in family.samples:
            for label, one in sample.labels.items():
                values.setdefault(label, set()).add(one)
    assert {label: len(found) for label, found in values.items() if len(found) > LABELS[label]} == {}


def test_figures_are_those_of_the_database(filled: WebProcess, kept_pool: Pool) -> None:
    """A figure of another table, another unit or another window."""
    found = scraped(filled)
    with kept_pool.connection() as connection:
        [(matches, sealed, rows)] = connection.execute(
            "select (select count(*) from matches), (select count(*) from match_predictions), "
            "(select max(seq) from ledger)"
        ).fetchall()
    assert value(found, "tipoff_rows", table="matches") == matches
    assert value(found, "tipoff_forecasts_sealed") == sealed
    assert value(found, "tipoff_forecasts_graded") == rows - 1 - sealed
    assert value(found, "tipoff_jobs", type="model_review", status="pending") == 301
    assert value(found, "tipoff_jobs", type="cleanup", status="completed") == 100
    assert value(found, "tipoff_jobs_ended_last_hour", type="cleanup", status="failed") == 2
    assert 600 <= value(found, "tipoff_job_queue_oldest_pending_seconds") < 700
    assert value(found, "tipoff_job_queue_oldest_pending_by_type_seconds", type="database_care") < 700
    assert value(found, "tipoff_job_duration_median_seconds", type="cleanup") == 5.0
    assert value(found, "tipoff_workers_alive") == 1
    assert value(found, "tipoff_quarantined_last_day", reason="no_score") == 2
    assert value(found, "tipoff_alerts_open", severity="error") == 1
    assert value(found, "tipoff_alerts_open", severity="warning") == 0
    assert value(found, "tipoff_health_status", check="database") == 0
    assert value(found, "tipoff_health_status", check="job_queue") == 1
    assert value(found, "tipoff_health_status", check="models") == 2
    assert 60 <= value(found, "tipoff_health_age_seconds") < 160
    assert value(found, "tipoff_outbox_waiting") == 1
    assert value(found, "tipoff_outbox_given_up_last_day") == 1
    assert 300 <= value(found, "tipoff_outbox_oldest_waiting_seconds") < 400
    assert value(found, "tipoff_model_log_loss") == pytest.approx((100 * 0.60 + 300 * 0.70) / 400)
    assert value(found, "tipoff_model_log_loss_promised") == 0.65
    assert value(found, "tipoff_model_log_loss_promised_high") == 0.66
    assert value(found, "tipoff_model_matches_graded") == 400
    assert value(found, "tipoff_fixtures_known") == 400
    assert value(found, "tipoff_database_up") == value(found, "tipoff_figures_current") == 1
    assert value(found, "tipoff_pool_size") >= 1
    assert value(found, "process_resident_memory_bytes") > 2e7
    assert len([s for f in found.values() for s in f.samples]) > 150


def test_rules_and_panels_ask_for_what_there_is(filled: WebProcess) -> None:
    """A rule that never fires and a panel that stays empty, because a metric has another name."""
    there = {sample.name for family in scraped(filled).values() for sample in family.samples}
    asked = {name for question in [*panels(), *(rule["expr"] for rule in rules())] for name in named(question)}
    assert asked - there == set()
    ours = {name.removesuffix("_bucket") for name in there if name.startswith("tipoff_")}
    ours = {name for name in ours if not name.endswith(("_seconds_count", "_seconds_sum"))}
    assert ours - {name.removesuffix("_bucket") for name in asked} == set(), "nobody looks at these"


def test_the_page_tells_of_every_metric(filled: WebProcess) -> None:
    """A metric that nobody can find; a page that tells of one that is gone."""
    rows = []
    for family in sorted(scraped(filled).values(), key=lambda family: family.name):
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        name = family.name + ("_total" if family.type == "counter" else "")
        said = ", ".join(f"`{label}`" for label in labels)
        rows.append(f"| `{name}` | {family.type} | {said} | {family.documentation} |")
    page = (ROOT / "docs" / "logs-and-metrics.md").read_text()
    told = [line for line in page.splitlines() if line.startswith(("| `tipoff_", "| `process_"))]
    assert told == rows, "\n".join(rows)


@pytest.fixture
def deployed(shared_dsn: str, folder: Path) -> Iterator[WebProcess]:
    """A process that others can reach."""
    process = WebProcess(shared_dsn, folder, RENDER="true", TIPOFF_READS_A_MINUTE="2", TIPOFF_FAILURES_A_MINUTE="3")
    try:
        yield process
    finally:
        process.stop()


def test_a_deployment_asks_for_a_key_and_never_limits_its_scraper(deployed: WebProcess, pool: Pool) -> None:
    """Figures for everybody; a scraper that is refused because it asks every five seconds; keys guessed here."""
    key, _ = make_key(pool, Scope.READ)
    assert deployed.get("/metrics").status_code == 401
    for _ in range(10):
        assert deployed.get("/metrics", key).status_code == 200
    found = scraped(deployed, MASTER)
    assert value(found, "tipoff_http_requests_total", route="/metrics", status="401") == 1
    assert [deployed.get("/metrics", f"wrong {n}").status_code for n in range(5)] == [401, 401, 401, 429, 429]
    assert value(scraped(deployed, MASTER), "tipoff_http_rate_limited_total") == 2


def test_an_outage_leaves_what_the_process_knows(server: PrivatePostgres, tmp_path: Path) -> None:
    """Figures of before the outage taken for those of now; a scraper that cannot come in, so that nobody is told."""
    home = tmp_path / "own"
    home.mkdir()
    home.chmod(0o755)
    tmp_path.chmod(0o755)
    postgres = PrivatePostgres(home)
    owner = postgres.start()
    web = WebProcess(owner, tmp_path, TIPOFF_OPEN_METRICS="false")
    try:
        from tipoff.storage.pool import open_pool

        pool = open_pool(owner)
        key, _ = make_key(pool, Scope.READ)
        pool.close()
        before = scraped(web, key)
        assert value(before, "tipoff_fixtures_known") == 0
        postgres.stop()
        web.until_database("away")
        after = scraped(web, key)
        assert value(after, "tipoff_database_up") == value(after, "tipoff_figures_current") == 0
        assert not {"tipoff_fixtures_known", "tipoff_jobs", "tipoff_workers_alive"} & set(after)
        assert value(after, "process_resident_memory_bytes") > 2e7
        assert web.get("/metrics", "a key that was never good").status_code == 503
        assert web.get("/metrics").status_code == 401
        postgres.start()
        web.until_database("ok")
        assert value(scraped(web, key), "tipoff_fixtures_known") == 0
    finally:
        web.stop()
        postgres.reset()
