"""What is looked at: settings, the environment they came from, and what is to start with them."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from tipoff.refusals.addresses import is_near
from tipoff.settings import Settings

PLACEHOLDER = "your_"
"""how the deployment contract's examples begin (your_supabase_url): they count as not given yet"""


class Role(enum.StrEnum):
    """What is to start: each needs something else to be set."""

    WEB = "web"
    WORKER = "worker"
    COMMAND = "command"


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a setting, and what to do."""

    setting: str
    wrong: str
    mend: str

    def __str__(self) -> str:
        return f"{self.setting} {self.wrong}: {self.mend}"


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """The settings, the environment they were read from, and what is to start with them."""

    settings: Settings
    environment: Mapping[str, str]
    role: Role

    @property
    def public(self) -> bool:
        """Whether others can reach it: on Render, or with a Supabase project that is not on this machine."""
        url = self.settings.supabase_url
        host = host_of(url) if url else ""
        return bool(self.settings.render or (url and not (host and is_near(host))))

    @property
    def works(self) -> bool:
        """Whether jobs are run by it."""
        return self.role is Role.WORKER or (self.role is Role.WEB and self.settings.one_service)

    def secret(self, name: str) -> str | None:
        """A secret that was given, and is no placeholder."""
        value = getattr(self.settings, name)
        text = value.get_secret_value() if value is not None else ""
        return text if text and not text.startswith(PLACEHOLDER) else None


def placeholders(settings: Settings) -> list[str]:
    """Names of settings that still have the value of the deployment contract's example."""
    found = {
        "SUPABASE_URL": settings.supabase_url,
        "SUPABASE_ANON_KEY": settings.anon_key.get_secret_value() if settings.anon_key else None,
        "SUPABASE_SERVICE_ROLE_KEY": settings.supabase_key.get_secret_value() if settings.supabase_key else None,
    }
    return [name for name, value in found.items() if value and value.startswith(PLACEHOLDER)]


def split(url: str) -> SplitResult | None:
    """The parts of an address; None where it cannot be read."""
    try:
        return urlsplit(url.strip())
    except ValueError:
        return None


def host_of(url: str) -> str:
    """Its host; empty where it has none."""
    parts = split(url)
    return (parts.hostname or "") if parts else ""
