"""The question before what changes something: a page of its own, for browsers that cannot ask in a dialog."""

from __future__ import annotations

import dataclasses

from starlette.requests import Request
from starlette.responses import Response

from tipoff.web.page import Pages

CONFLICT = 409


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What is asked, what happens then, where yes is sent and where no leads; `wrong`: why yes did not work."""

    nav: str
    title: str
    text: str
    yes: str
    action: str
    back: str
    wrong: str = ""


async def sure(request: Request, question: Question) -> Response:
    """The page with the question, or with why it cannot be done (409)."""
    pages: Pages = request.app.state.pages
    values = {"nav": question.nav, "question": question}
    return await pages.page(request, "sure.html", values, status=CONFLICT if question.wrong else 200)
