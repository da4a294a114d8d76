"""`/keys`: API keys, for administrators."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.access import Scope
from tipoff.web import ask, forms
from tipoff.web.page import Pages
from tipoff.web.routing import Page
from tipoff.web.sure import Question, sure

ROWS = 50
WRONG = 422


async def show(request: Request) -> Response:
    """Keys, newest first, and the form that makes one."""
    return await _page(request, {})


async def make(request: Request) -> Response:
    """Make a key and show it, this once: in the answer to the form, in no address and in no cache."""
    fields = await forms.read_form(request)
    days = fields.get("days", "").strip()
    body = {"name": fields.get("name", "").strip(), "scope": fields.get("scope", ""), "days": _number(days)}
    answer = await ask.post(request, "/api/keys", body)
    if answer.status == WRONG:
        return await _page(request, {"wrong": answer.data.get("errors") or [], "typed": fields}, WRONG)
    return await _page(request, {"made": answer.needed()}, 201)


def _number(text: str) -> float | str | None:
    """Empty: never expires; what is no number is the API's to refuse."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


async def _page(request: Request, more: dict[str, Any], status: int = 200) -> Response:
    pages: Pages = request.app.state.pages
    cursor = request.query_params.get("cursor")
    listed, hooks = await ask.all_of(
        ask.get(request, "/api/keys", limit=ROWS, cursor=cursor), ask.get(request, "/api/webhooks")
    )
    page = listed.needed()
    values = {
        "nav": "keys", "keys": page["items"], "next": page["next_cursor"], "begun": bool(cursor), "hooks": hooks,
        "scopes": [scope.value for scope in Scope], "made": None, "wrong": [], "typed": {}, **more,
    }  # fmt: skip
    answer = await pages.page(request, "keys.html", values, status=status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def ask_revoke(request: Request) -> Response:
    """Is that one to be refused from now on?"""
    return await sure(request, _question(request.path_params["key_id"]))


async def revoke(request: Request) -> Response:
    """Refuse it everywhere."""
    await forms.read_form(request)
    (await ask.post(request, ask.path("api", "keys", request.path_params["key_id"]), method="DELETE")).needed()
    return forms.see_other("/keys")


def _question(key_id: str) -> Question:
    return Question(
        "keys", "Revoke this key?",
        "Whoever uses it is refused everywhere within a second, and whoever is signed in with it is signed out. It "
        "cannot be undone.",
        "Revoke it", ask.path("keys", key_id, "revoke"), "/keys",
    )  # fmt: skip


PAGES = (
    Page("/keys", show, Scope.ADMIN),
    Page("/keys", make, Scope.ADMIN, "POST"),
    Page("/keys/{key_id}/revoke", ask_revoke, Scope.ADMIN),
    Page("/keys/{key_id}/revoke", revoke, Scope.ADMIN, "POST"),
)
