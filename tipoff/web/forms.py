"""Forms: read, and refused where another site sent them."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tipoff.api.access import Principal, Scope, nobody
from tipoff.api.problems import ProblemError
from tipoff.api.sessions import COOKIE

TOKEN = "csrf"  # noqa: S105 - the name of a field
KIND = "application/x-www-form-urlencoded"
MOST_FIELDS = 50


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form sent by one of our own pages; raises ProblemError (403, 415, 422) for others.

    The browser says from where a request comes (Sec-Fetch-Site, Origin); what a signed-in browser sends also carries
    its session's token. OWASP, Cross-Site Request Forgery Prevention Cheat Sheet.
    """
    if comes_from_elsewhere(request):
        raise ProblemError(403, "this form was sent by another site: open the page here and send it again")
    body = await request.body()
    if body and request.headers.get("content-type", "").partition(";")[0].strip() != KIND:
        raise ProblemError(415, f"a form is sent as {KIND}")
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"))
    except ValueError as error:
        raise ProblemError(422, "this form cannot be read") from error
    if "\x00" in "".join(fields.values()):
        raise ProblemError(422, "NUL characters are not stored")
    cookie = request.cookies.get(COOKIE)
    principal: Principal = request.scope["principal"]
    if cookie is not None and principal.scope is not None:
        sessions = request.scope["backend"].sessions
        if not sessions.is_token(cookie, fields.pop(TOKEN, "")):
            raise ProblemError(403, "this form is of an earlier session: open the page again and send it once more")
    fields.pop(TOKEN, None)
    return fields


def comes_from_elsewhere(request: Request) -> bool:
    """Whether a page of another site made the browser send this."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return True
    try:
        return origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    except ValueError:  # no address at all
        return True


def allowed(request: Request, scope: Scope) -> bool:
    """Whether who looks at it may do what needs that scope."""
    principal: Principal = request.scope["principal"]
    return principal.scope is not None and principal.scope.includes(scope)


def need(request: Request, scope: Scope) -> None:
    """Raise ProblemError (401, 403) where they may not."""
    principal: Principal = request.scope["principal"]
    if principal.scope is None:
        raise nobody(request.scope, f"this needs a key with the scope {scope}: sign in")
    if not principal.scope.includes(scope):
        raise ProblemError(403, f"this needs the scope {scope}; you are signed in with the scope {principal.scope}")


def see_other(address: str) -> Response:
    """Where to look after a form was sent."""
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


def inside(address: str, default: str = "/") -> str:
    """The address, if it leads to a page here; else the default: nobody is sent to another site.

    >>> inside("/jobs?a=1"), inside("//evil.example"), inside("https://evil.example/"), inside("/\\\\evil.example")
    ('/jobs?a=1', '/', '/', '/')
    """
    safe = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if safe and "\\" not in address else default
