"""`/matches/{id}`."""

from __future__ import annotations

from tipoff.web.routing import Page

PAGES: tuple[Page, ...] = ()
