"""`/api/ml/models`, their performance and what their parts are worth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Path, Query, Request
from starlette.responses import Response

from tipoff.api import answers, cursors
from tipoff.api.access import Scope
from tipoff.api.matches.routes import LINK, Cursor, Limit
from tipoff.api.models.schemas import (
    Comparison,
    Difference,
    Importance,
    ModelDetail,
    ModelPage,
    ModelRow,
    PerformancePage,
    PerformanceRow,
    Worth,
)
from tipoff.api.problems import ProblemError
from tipoff.api.routing import Format, described, router
from tipoff.errors import InputError
from tipoff.storage import models, overview
from tipoff.storage.models import Registered
from tipoff.storage.pool import Connection

TOPIC = ("models", "predictions")
routes = router("models")
Version = Annotated[int, Path(ge=1, lt=2**31, description="The model's number.")]
OfVersion = Annotated[int | None, Query(ge=1, lt=2**31, description="Only this model.")]


@routes.get(
    "/api/ml/models", operation_id="list_models",
    **described(Scope.READ, ModelPage, "List models", csv=True, cached=True, headers=LINK),
)  # fmt: skip
def list_models(
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = None,
    format: Format = None,  # noqa: A002
) -> Response:
    """Every model, newest first, also those that the gate refused."""
    place: Any = cursors.read(cursor, int)

    def page(connection: Connection, before: Any) -> tuple[list[ModelRow], Any]:
        found = models.page(connection, limit + 1, before[0] if before else None)
        scored = models.scored(connection)
        shown = [ModelRow(**_summary(model, scored)) for model in found[:limit]]
        return shown, (shown[-1].version,) if len(found) > limit else None

    def made(_: Connection, items: list[ModelRow], next_cursor: str | None) -> ModelPage:
        return ModelPage(items=items, next_cursor=next_cursor)

    return answers.listed(request, format, ModelRow, page, place, TOPIC, made)


@routes.get(
    "/api/ml/models/active", operation_id="get_active_model",
    **described(Scope.READ, ModelDetail, "The model that forecasts", cached=True, problems=[404]),
)  # fmt: skip
def get_active(request: Request) -> Response:
    """The champion whole: parameters, data, measurement, verdict, importance of its parts."""

    def question(connection: Connection) -> ModelDetail:
        champion = models.champion(connection)
        if champion is None:
            raise ProblemError(404, "no model forecasts yet: start one with POST /api/ml/train")
        return _detail(connection, champion)

    return answers.read(request, TOPIC, question)


@routes.get(
    "/api/ml/models/compare/{v1}/{v2}", operation_id="compare_models",
    **described(Scope.READ, Comparison, "Two models beside each other", cached=True, problems=[404]),
)  # fmt: skip
def compare_models(request: Request, v1: Version, v2: Version) -> Response:
    """What both promised, what both scored, which parameters differ; `tipoff models compare` measures them anew."""

    def question(connection: Connection) -> Comparison:
        one, two = _found(connection, v1), _found(connection, v2)
        scored = models.scored(connection)
        first, second = ModelRow(**_summary(one, scored)), ModelRow(**_summary(two, scored))
        same = _window(one) == _window(two) and _window(one) is not None
        return Comparison(
            one=first, two=second, same_data=same,
            note="measured on the same matches" if same else "measured on different matches: not a paired comparison",
            promised=[
                Difference(measure=name, one=a, two=b, difference=None if a is None or b is None else a - b)
                for name in sorted({*first.promised, *second.promised})
                for a, b in [(first.promised.get(name), second.promised.get(name))]
            ],
            params=_differing(one.document.get("params", {}), two.document.get("params", {})),
        )  # fmt: skip

    return answers.read(request, TOPIC, question)


@routes.get(
    "/api/ml/models/{version}", operation_id="get_model",
    **described(Scope.READ, ModelDetail, "One model", cached=True, problems=[404]),
)  # fmt: skip
def get_model(request: Request, version: Version) -> Response:
    """Parameters, data, measurement, the gate's verdict, importance of its parts."""
    return answers.read(request, TOPIC, lambda connection: _detail(connection, _found(connection, version)))


@routes.post(
    "/api/ml/models/{version}/activate", operation_id="activate_model",
    **described(Scope.OPERATE, ModelDetail, "Let a model forecast", problems=[404, 409, 413]),
)  # fmt: skip
def activate_model(request: Request, version: Version) -> Response:
    """Going back is activating an older one. 409 where the gate refused it, or its files are gone."""

    def act(connection: Connection) -> tuple[int, ModelDetail, answers.Headers]:
        models.lock_champion(connection)
        model = _found(connection, version)
        try:
            models.activate(connection, model.sha256, overview.now(connection))
        except InputError as error:
            raise ProblemError(409, str(error)) from error
        return 200, _detail(connection, _found(connection, version)), {}

    return answers.write(request, "models", act)


@routes.get(
    "/api/ml/model-performance", operation_id="list_model_performance",
    **described(Scope.READ, PerformancePage, "What sealed forecasts scored, day by day", csv=True, cached=True,
                headers=LINK),
)  # fmt: skip
def list_performance(
    request: Request, version: OfVersion = None, limit: Limit = 50, cursor: Cursor = None,
    format: Format = None,  # noqa: A002
) -> Response:  # fmt: skip
    """A row a model and UTC day, newest first."""
    place: Any = cursors.read(cursor, dt.date, int)

    def page(connection: Connection, before: Any) -> tuple[list[PerformanceRow], Any]:
        found = models.performance_page(connection, version, limit + 1, before)
        shown = [PerformanceRow.model_validate(row) for row in found[:limit]]
        return shown, (shown[-1].day, shown[-1].model_version) if len(found) > limit else None

    def made(_: Connection, items: list[PerformanceRow], next_cursor: str | None) -> PerformancePage:
        return PerformancePage(items=items, next_cursor=next_cursor)

    return answers.listed(request, format, PerformanceRow, page, place, TOPIC, made)


@routes.get(
    "/api/ml/feature-importance", operation_id="get_feature_importance",
    **described(Scope.READ, Importance, "What each part of a model is worth", cached=True, problems=[404]),
)  # fmt: skip
def get_importance(request: Request, version: OfVersion = None) -> Response:
    """Of the champion, or of another model: how much worse it is without a part, with intervals."""

    def question(connection: Connection) -> Importance:
        model = _found(connection, version) if version is not None else models.champion(connection)
        if model is None:
            raise ProblemError(404, "no model forecasts yet")
        return Importance(model_version=model.version, items=_worth(connection, model))

    return answers.read(request, TOPIC, question)


def _found(connection: Connection, version: int) -> Registered:
    try:
        return models.find(connection, str(version))
    except InputError as error:
        raise ProblemError(404, f"there is no model {version}") from error


def _summary(model: Registered, scored: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    first = (model.document.get("measured", {}).get("models") or [{}])[0]
    sealed = scored.get(model.sha256)
    return {
        **{name: getattr(model, name) for name in ModelRow.model_fields if hasattr(model, name)},
        "promised": {name: values["mean"] for name, values in first.get("measures", {}).items()},
        "estimates": {
            name: {
                "mean": values["mean"],
                "low": values.get("low"),
                "high": values.get("high"),
                "n": values.get("n", 0),
            }
            for name, values in first.get("measures", {}).items()
        },
        "sealed": dict(sealed) if sealed else None,
    }


def _detail(connection: Connection, model: Registered) -> ModelDetail:
    document = model.document
    return ModelDetail(
        **_summary(model, models.scored(connection)), params=document.get("params", {}), fit=document.get("fit", {}),
        data=document.get("data", {}), measured=document.get("measured", {}), gate=model.gate,
        importance=_worth(connection, model),
    )  # fmt: skip


def _worth(connection: Connection, model: Registered) -> list[Worth]:
    return [Worth.model_validate(row) for row in models.importance_of(connection, model.sha256)]


def _window(model: Registered) -> Any:
    return model.document.get("measured", {}).get("window")


def _differing(one: Mapping[str, Any], two: Mapping[str, Any], prefix: str = "") -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name in sorted({*one, *two}):
        a, b = one.get(name), two.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found |= _differing(a, b, f"{prefix}{name}.")
        elif a != b:
            found[f"{prefix}{name}"] = [a, b]
    return found
