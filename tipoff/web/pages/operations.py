"""The four operations that start a job: what they do, what they take, and how their forms are sent on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from tipoff.web import ask


@dataclasses.dataclass(frozen=True, slots=True)
class Number:
    """A field that takes a number."""

    name: str
    label: str
    value: str
    least: str
    most: str
    step: str = "1"


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """A box to tick."""

    name: str
    label: str
    value: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One way to start a job; `body`: its parameters go as JSON, not in the address."""

    name: str
    job_type: str
    title: str
    about: str
    address: str
    live: str
    fields: tuple[Number | Choice, ...]
    body: bool = False

    def filled(self, sent: Mapping[str, str]) -> Operation:
        """The same with what was typed, so that a form that was refused keeps it."""
        return dataclasses.replace(self, fields=tuple(_filled(field, sent) for field in self.fields))


SAME = "While one is live, the same again leads to that one, and other parameters are refused."
TOKEN = Choice("refresh_token", "Ask for a new guest token first", False)
OPERATIONS = (
    Operation(
        "pipeline", "data_pipeline", "Full pipeline",
        "Fetches results and fixtures, works out statistics, trains and judges a model if asked, forecasts, seals "
        "and grades.",
        "/api/run-pipeline", "While one is live no other one is started: cancel that one first, or wait for it.",
        (
            Number("history_days", "Days back to fetch", "30", "0", "1500"),
            Choice("train_model", "Train and judge a new model", True),
            Number("training_days", "Days of results to fit on", "30", "2", "365"),
            Number("min_matches", "Least matches of a player", "3", "1", "1000"),
            TOKEN, Choice("return_predictions", "Put the forecasts into its result", True),
        ), body=True,
    ),
    Operation(
        "refresh", "quick_data_refresh", "Quick refresh",
        "Fetches recent days and fixtures, forecasts and grades; trains nothing.",
        "/api/data/quick-refresh", SAME,
        (TOKEN, Choice("return_predictions", "Put the forecasts into its result", True)),
    ),
    Operation(
        "forecasts", "prediction_generation", "Generate predictions",
        "Forecasts every known fixture with the champion, seals what is due, grades.",
        "/api/ml/generate-predictions", SAME,
        (Choice("return_predictions", "Put the forecasts into its result", True),),
    ),
    Operation(
        "training", "model_training", "Train a model",
        "Fits a model, measures it walk-forward and lets the gate judge it; it forecasts only if it passes.",
        "/api/ml/train", SAME,
        (
            Number("days_back", "Days of results to fit on", "30", "2", "365"),
            Number("min_matches_per_player", "Least matches of a player", "3", "1", "1000"),
            Number("performance_threshold", "Least share called right", "0", "0", "0.99", "0.01"),
        ),
    ),
)  # fmt: skip
BY_NAME = {operation.name: operation for operation in OPERATIONS}
TITLES = {operation.job_type: operation.title for operation in OPERATIONS}


async def start(request: Request, operation: Operation, fields: Mapping[str, str]) -> ask.Answer:
    """Ask the API for it; what a field may hold is the API's to judge, and one left empty has its default."""
    sent = {field.name: _sent(field, fields) for field in operation.fields}
    params = {name: value for name, value in sent.items() if value != ""}
    if operation.body:
        return await ask.post(request, operation.address, params)
    return await ask.post(request, operation.address, **params)


def titled(job_type: str) -> str:
    """A type of job as people read it.

    >>> titled("data_pipeline"), titled("database_care")
    ('Full pipeline', 'Database care')
    """
    return TITLES.get(job_type) or job_type.replace("_", " ").capitalize()


def _filled(field: Number | Choice, sent: Mapping[str, str]) -> Number | Choice:
    if isinstance(field, Choice):
        return dataclasses.replace(field, value=field.name in sent)
    return dataclasses.replace(field, value=sent.get(field.name, field.value))


def _sent(field: Number | Choice, sent: Mapping[str, str]) -> Any:
    if isinstance(field, Choice):
        return field.name in sent
    text = sent.get(field.name, field.value).strip()
    return int(text) if text.isdecimal() and len(text) < 10 else text
