"""Requests that schemathesis makes up from the OpenAPI document, sent to a real process, each answer checked."""

from __future__ import annotations

import collections
import dataclasses
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import psycopg
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.specs.openapi import checks

Known = Mapping[str, Sequence[Any]]
"""what exists, by the name of a parameter, or by name and path ("cursor of /api/jobs")"""
LEFT_OUT = (
    checks.use_after_free,  # needs chains of requests; and a key that was revoked stays in the list, as documented
    checks.ensure_resource_availability,  # needs chains of requests: tests/api finds what it made
    checks.object_level_authorization,  # nothing belongs to anybody here: a scope says what a key may do
)
SHARED = ("DELETE /api/jobs/cleanup", "GET /api/webhooks/deliveries")
"""their addresses are also those of another method with a parameter there ({job_id}), which answers 422, not 405"""
MEANT = (
    "this is not a cursor that an earlier page gave", "this Idempotency-Key was used for another request",
    "two different players are needed", "a match needs two different players", "nothing is known of that name",
    "a start lies between now and", "the winner has no line", "train_model and train_new_model", "a webhook",
)  # fmt: skip
"""what a problem says where a rule that no schema can express refused a well-formed request"""
PROBED = 3
"""successes of an operation after each of which it is asked again without a key and with a wrong one"""


def operations(url: str) -> list[Any]:
    """Every operation of the document there but streams, which do not end.

    It makes no keys up: X-API-Key counts first, so a made-up Authorization beside a right one is not looked at.
    """
    config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
    schema = schemathesis.openapi.from_url(f"{url}/api/openapi.json", config=config)
    found = [one.ok() for one in schema.get_all_operations()]
    return [one for one in found if not _streams(one.definition.raw)]


def _streams(definition: Mapping[str, Any]) -> bool:
    return any("text/event-stream" in answer.get("content", {}) for answer in definition["responses"].values())


def covering(operation: Any) -> Iterator[Case]:
    """Each boundary of each parameter and what is just beyond, what is missing, methods that there are not."""
    both, generation = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], operation.schema.config.generation
    cases: Iterator[Case] = operation.schema.iter_coverage_cases(
        operation, generation_modes=both, generation_config=generation
    )
    return cases


@st.composite
def requested(draw: st.DrawFn, operation: Any, known: Known) -> tuple[Case, random.Random]:
    """A request, most of them well formed and about what exists, and the chance by which to go on."""
    chance = random.Random(draw(st.integers(0, 2**64)))
    wrong = chance.random() < 0.3 and bool(operation.body or list(operation.iter_parameters()))
    mode = GenerationMode.NEGATIVE if wrong else GenerationMode.POSITIVE
    case: Case = draw(operation.as_strategy(generation_mode=mode))
    if not wrong and chance.random() < 0.9:
        _steer(case, known, chance)
    return case, chance


def _steer(case: Case, known: Known, chance: random.Random) -> None:
    """Values that exist, mostly."""
    for place in (case.path_parameters, case.query):
        for name in list(place):
            there = known.get(f"{name} of {case.path}", known.get(name, ()))
            if name == "cursor" and chance.random() < 0.5:
                del place[name]
            elif there and chance.random() < 0.9:
                value = chance.choice(there)
                place[name] = inside(value) if place is case.path_parameters else value
    if case.path == "/api/webhooks" and isinstance(case.body, dict):
        case.body |= {"name": f"hook {chance.randrange(10**9)}", "url": "https://hooks.example.com/here"}
    if case.path == "/api/ml/what-if" and isinstance(case.body, dict):
        for match in case.body["matches"]:
            match["player_a"], match["player_b"] = chance.sample(known["player"], 2)
            for name in ("start", "line", "team_a", "team_b"):
                match.pop(name, None)


def inside(value: object) -> str:
    """A value as one segment of a path."""
    return quote(str(value), safe="").replace(".", "%2E")


@dataclasses.dataclass
class Tally:
    """What was sent, what came back, and what was wrong with it."""

    sent: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    succeeded: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    statuses: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter)
    faults: dict[tuple[str, str], list[str]] = dataclasses.field(default_factory=dict)

    def note(self, label: str, title: str, said: str) -> None:
        """A fault."""
        self.faults.setdefault((label, title), []).append(said)

    def report(self, most: int = 20) -> str:
        """Kinds of faults, each with how often it was found and the first of them."""
        kinds = [f"{label}: {title} ({len(said)} times)\n{said[0]}" for (label, title), said in self.faults.items()]
        return "\n\n".join([f"{len(kinds)} kinds of faults", *kinds[:most]])


class Sender:
    """Sends requests, checks each answer against the document, keeps the tally."""

    def __init__(self, url: str) -> None:
        self.tally = Tally()
        self._url, self._session = url, requests.Session()
        self._session.trust_env = False
        self._probed: collections.Counter[str] = collections.Counter()

    def send(self, case: Case, key: str | None, chance: random.Random) -> None:
        """One request with a key in either header, or without."""
        label, tally = case.operation.label, self.tally
        named = {"X-API-Key": key} if chance.random() < 0.5 else {"Authorization": f"Bearer {key}"}
        headers = named if key else {}
        tally.sent[label] += 1
        try:
            response = case.call(base_url=self._url, session=self._session, headers=headers)
        except requests.RequestException as error:
            tally.note(label, "no answer", f"{error} to {case.as_curl_command()}"[:600])
            return
        good = 200 <= response.status_code < 400 and case.method.upper() == case.operation.method.upper()
        tally.statuses[response.status_code] += 1
        tally.succeeded[label] += good
        self._check(case, response, headers, probe=good and bool(key) and self._probed[label] < PROBED)

    def _check(self, case: Case, response: Response, headers: dict[str, str], *, probe: bool) -> None:
        label = case.operation.label
        self._probed[label] += probe
        left_out = list(LEFT_OUT)
        left_out += [] if probe else [checks.ignored_auth]
        left_out += [checks.unsupported_method, checks.allow_header_conformance] if label in SHARED else []
        try:
            case.validate_response(
                response, excluded_checks=left_out, headers=headers, transport_kwargs={"headers": headers}
            )
        except FailureGroup as found:
            for failure in found.exceptions:
                if not _meant(failure, response):
                    self.tally.note(
                        label, getattr(failure, "title", type(failure).__name__), _told(failure, response)
                    )

    def close(self) -> None:
        """Its connections."""
        self._session.close()


def _meant(failure: BaseException, response: Response) -> bool:
    """Whether a rule between values refused it: a 422 that says which."""
    refused = type(failure).__name__ == "RejectedPositiveData" and response.status_code == 422
    return refused and any(said in response.text for said in MEANT)


def _told(failure: BaseException, response: Response) -> str:
    asked = response.request
    sent = f"{asked.method} {str(asked.url)[:300]} {(asked.body or b'')[:200]!r}"
    return f"{sent}\n-> {response.status_code} {response.text[:300]}\n{str(failure)[:500]}"


STARTS = {
    "run_pipeline": "data_pipeline", "quick_refresh": "quick_data_refresh",
    "generate_predictions": "prediction_generation", "train": "model_training",
}  # fmt: skip
"""operations of whose job one may be live, and its type"""
FILL = """
delete from job_queue where type = 'outbox_delivery';
insert into job_queue (id, type, rank, status, worker, lease_until, attempt, token, progress, result, error,
    cancel_requested_at, started_at, finished_at)
  select id, 'outbox_delivery', 0, status, case status when 'running' then 'w' end,
    case status when 'running' then now() + interval '1 day' end, 1, 1, 100,
    case status when 'completed' then '{}'::jsonb end,
    case status when 'failed' then '{"kind": "k", "message": "m", "where": "w"}'::jsonb end,
    case status when 'cancelled' then now() end, case status when 'pending' then null else now() end,
    case when status in ('completed', 'failed', 'cancelled') then now() end
  from jsonb_to_recordset(%s) as x (id uuid, status text)
"""
HOOKS = """
insert into webhooks (id, name, url, secret)
  select id, 'kept ' || id, 'https://hooks.example.com/', 'a secret of the fuzz'
  from unnest(%s::uuid[]) as t (id) on conflict do nothing
"""
ALERTS = """
insert into alerts (rule, subject, severity, state, message, remedy, since, opened_at, seen_at)
  select 'fuzzed', gen_random_uuid()::text, 'error', 'open', 'it is so', 'See.', now(), now(), now()
  from generate_series(1, 5) as n
  returning id
"""
AGAIN = """
update alerts set state = case when id %% 5 = 0 then 'resolved' else 'open' end, acknowledged_at = null,
  acknowledged_by = null, resolved_at = case when id %% 5 = 0 then now() end where id = any(%s)
"""
DELIVERIES = """
with message as (insert into outbox (kind, channel, payload) values ('webhook', 'webhook:x', '{}') returning id)
insert into deliveries (message_id, channel, attempt, at, ok, duration_ms)
  select id, 'webhook:x', n, now(), false, 1 from message, generate_series(1, 3) as n
"""


class Keeper:
    """Brings back in the database what requests use up, so that the next one can succeed."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        statuses = ("pending", "running", "completed", "failed", "cancelled")
        self.hooks = [str(uuid.uuid4()) for _ in range(5)]
        self.jobs = {status: [str(uuid.uuid4()) for _ in range(5)] for status in statuses}
        self._fill()
        self._connection.execute(DELIVERIES)
        self.alerts = [int(row[0]) for row in self._connection.execute(ALERTS).fetchall()]

    def before(self, case: Case, chance: random.Random) -> None:
        """Mostly no live job of its type, no Idempotency-Key that was used; always the jobs as they were."""
        name = case.operation.definition.raw["operationId"]
        if name in STARTS and chance.random() < 0.8:
            self._connection.execute("delete from job_queue where type = %s", (STARTS[name],))
        if case.method.upper() == "POST" and chance.random() < 0.8:
            self._connection.execute("delete from idempotency_keys")
        if "job" in name:
            self._fill()
        if name == "acknowledge_alert":
            self._connection.execute(AGAIN, (self.alerts,))
        if name == "remove_webhook":
            self._connection.execute(HOOKS, (self.hooks,))

    def _fill(self) -> None:
        jobs = [{"id": one, "status": status} for status, ids in self.jobs.items() for one in ids]
        with self._connection.transaction():
            for statement in FILL.split(";\n"):
                psycopg.ClientCursor(self._connection).execute(
                    statement.encode(), (psycopg.types.json.Jsonb(jobs),) if "%s" in statement else None
                )

    def close(self) -> None:
        """Its connection."""
        self._connection.close()
