"""Signing in with an API key, and out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.access import Principal, hashed
from tipoff.api.admission import Admission
from tipoff.api.problems import ProblemError
from tipoff.api.routing import backend_of
from tipoff.api.sessions import COOKIE, LASTS
from tipoff.web import forms
from tipoff.web.page import Pages
from tipoff.web.routing import Page

TEMPLATE = "signin.html"


async def show(request: Request) -> Response:
    """The form, or who is signed in."""
    back = forms.inside(request.query_params.get("back", "/"))
    return await _page(request, {"back": back, "wrong": ""})


async def sign_in(request: Request) -> Response:
    """Put the key's id into a signed cookie; a wrong key is counted like one that is sent to the API."""
    fields = await forms.read_form(request)
    back = forms.inside(fields.get("back", "/"))
    try:
        principal = await _whose(request, fields.get("key", "").strip())
    except ProblemError as problem:
        if problem.status not in (401, 429):
            raise
        return await _page(request, {"back": back, "wrong": problem.detail}, problem.status)
    answer = forms.see_other(back)
    backend = backend_of(request)
    secure = request.url.scheme == "https" or backend.settings.production
    answer.set_cookie(
        COOKIE, backend.sessions.made(principal.id), LASTS, path="/", secure=secure, httponly=True, samesite="strict"
    )
    backend.log.info("signed in", request_id=request.scope["request_id"], by=principal.name)
    return answer


async def sign_out(request: Request) -> Response:
    """Forget who it was."""
    await forms.read_form(request)
    answer = forms.see_other("/")
    answer.delete_cookie(COOKIE, path="/")
    return answer


async def _whose(request: Request, key: str) -> Principal:
    backend = backend_of(request)
    admission = Admission(backend)
    failures = f"address {admission.client(request.scope, dict(request.headers.raw))}"
    principal = await admission.whose(hashed(key), failures) if key else None
    if principal is None:
        backend.limiter.count("failure", failures)
        raise ProblemError(401, "This key is unknown, revoked or has expired.")
    return principal


async def _page(request: Request, values: dict[str, str], status: int = 200) -> Response:
    pages: Pages = request.app.state.pages
    return await pages.page(request, TEMPLATE, {"nav": "person", **values}, status=status)


PAGES = (
    Page("/sign-in", show, None),
    Page("/sign-in", sign_in, None, "POST"),
    Page("/sign-out", sign_out, None, "POST"),
)
