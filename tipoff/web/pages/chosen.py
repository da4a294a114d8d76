"""`POST /preferences`: theme, odds format and time zone go into cookies."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.problems import ProblemError
from tipoff.web import forms
from tipoff.web.preferences import LASTS, NAMES, is_valid
from tipoff.web.routing import Page

CHOSEN = "chosen"
"""the cookie that says that the zone was typed, so that the browser's own is not taken instead"""


async def save(request: Request) -> Response:
    """Keep what was chosen and go back to where it was."""
    fields = await forms.read_form(request)
    answer = forms.see_other(forms.inside(fields.get("back", "/")))
    kept = {name: fields[name].strip() for name in NAMES if name in fields}
    for name, value in kept.items():
        if not is_valid(name, value):
            raise ProblemError(422, f"there is no {name} {value[:40]!r}", [(name, "choose one that there is")])
    if "zone" in kept and kept["zone"] != fields.get("zone_was"):
        kept[CHOSEN] = "1"
    secure = request.url.scheme == "https" or request.scope["backend"].settings.production
    for name, value in kept.items():
        answer.set_cookie(name, value, LASTS, path="/", secure=secure, samesite="lax")
    return answer


PAGES = (Page("/preferences", save, None, "POST"),)
