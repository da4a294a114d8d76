"""Errors as RFC 9457 problem details: what was wrong, where, what to do; never a trace, a query or a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout, TooManyRequests
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Mount

from tipoff.errors import InputError, StorageError

MEDIA_TYPE = "application/problem+json"
METHODS = ("DELETE", "GET", "HEAD", "POST", "PUT", "PATCH")
MOST_ERRORS, LONGEST_POINTER, LONGEST_SAID = 20, 100, 300
AGAIN = "2"
"""seconds after which a client may ask again when the database was away"""


EXAMPLE: dict[str, Any] = {
    "type": "about:blank", "title": "Not Found", "status": 404,
    "detail": "there is no job 0b6b4c0e-0000-4000-8000-000000000000", "request_id": "0193f3a2c4d54f8e9f0c",
}  # fmt: skip


class Detail(BaseModel):
    """One thing that was wrong with a request."""

    where: str = Field(description="JSON pointer into the body, or the name of a parameter.")
    detail: str


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="about:blank: the status says what kind it is.")
    title: str
    status: int
    detail: str = Field(description="What was wrong and what to do.")
    request_id: str = Field(description="Also in X-Request-ID and in the log.")
    errors: list[Detail] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


class ProblemError(Exception):
    """Raised by endpoints: becomes a problem answer."""

    def __init__(
        self, status: int, detail: str, errors: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, errors, headers


class AwayError(Exception):
    """The database cannot be asked now; the message says why."""


KINDS: tuple[type[Exception], ...] = (
    ProblemError, AwayError, HTTPException, RequestValidationError, InputError, StorageError, psycopg.Error,
    PoolTimeout, TooManyRequests,
)  # fmt: skip
"""errors that are problems"""


def body_of(problem: ProblemError, request_id: str) -> bytes:
    """The JSON of a problem."""
    values: dict[str, Any] = {
        "type": "about:blank", "title": HTTPStatus(problem.status).phrase, "status": problem.status,
        "detail": problem.detail, "request_id": request_id,
    }  # fmt: skip
    if problem.errors:
        values["errors"] = [{"where": where, "detail": detail} for where, detail in problem.errors]
    return to_json(values)


def answer(problem: ProblemError, request_id: str) -> Response:
    """A problem as a response."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(body_of(problem, request_id), problem.status, headers, MEDIA_TYPE)


def away(why: str) -> ProblemError:
    """The database is away."""
    return ProblemError(503, f"the database cannot be asked now: {why}", headers={"Retry-After": AGAIN})


def install(app: FastAPI) -> None:
    """Every error of every endpoint is a problem."""
    for kind in KINDS:
        app.add_exception_handler(kind, handled)


async def handled(request: Request, error: Exception) -> Response:
    """The error as a problem."""
    return answer(problem_at(request, error), request.scope.get("request_id", ""))


def problem_at(request: Request, error: Exception) -> ProblemError:
    """What the error is to whoever asked that address, with the methods that it takes."""
    problem = problem_of(error)
    if problem.status == 405 and (methods := _methods(request)):
        problem.headers = {**problem.headers, "Allow": ", ".join(methods)}
    return problem


def _methods(request: Request) -> list[str]:
    """What the address takes: a route knows its own methods alone, and an address may have several routes."""
    routes = [route for route in request.app.routes if not isinstance(route, Mount)]
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def problem_of(error: Exception) -> ProblemError:
    """What the error is to a client; anything unforeseen is raised on, to be logged with its trace."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        if error.status_code == 400:
            return ProblemError(422, "the body is not JSON", [("/", "this is not JSON")])
        details = {404: "there is nothing at this address", 405: "this address does not take that method"}
        detail = details.get(error.status_code, str(error.detail))
        return ProblemError(error.status_code, detail, headers=error.headers or {})
    if isinstance(error, InputError):
        return ProblemError(422, str(error))
    if isinstance(error, psycopg.DataError):
        return ProblemError(422, "a value of this request cannot be stored or compared as it is")
    if isinstance(error, AwayError):
        return away(str(error))
    if isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.QueryCanceled):
        return away("it took too long to answer")
    if isinstance(error, psycopg.OperationalError | PoolTimeout | TooManyRequests | StorageError):
        return away("it does not answer")
    raise error


def _invalid(error: RequestValidationError) -> ProblemError:
    """Where and what, without the values that were sent."""
    errors = []
    for part in error.errors()[:MOST_ERRORS]:
        place, *path = part["loc"]
        pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
        pointer = pointer[:LONGEST_POINTER]
        where = pointer or "/" if place == "body" else ".".join(map(str, path))[:LONGEST_POINTER]
        said = part["msg"] if part["type"] != "json_invalid" else "this is not JSON"
        errors.append((where, said[:LONGEST_SAID]))
    return ProblemError(422, "; ".join(f"{where}: {detail}" for where, detail in errors), errors)
