"""What child processes are told of the installation, and what of it must never be shown."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tipoff.jobs.types import Secret
from tipoff.settings import Settings, passwords

SECRET_OF = {
    "supabase_key": Secret.ARTIFACTS, "token": Secret.SOURCE, "token_command": Secret.SOURCE,
    "alert_urls": Secret.ALERTS,
}  # fmt: skip
NEVER = ("database_url", "owner_database_url", "operator_key", "session_secret", "anon_key")


@dataclasses.dataclass(frozen=True, slots=True)
class Deployment:
    """What child processes are told: where the database is, settings, a fixed time."""

    dsn: str
    owner_dsn: str
    settings: Settings
    at: str | None = None

    def environment(self, secrets: frozenset[Secret]) -> dict[str, str]:
        """Settings as variables; secrets only where the type may have them."""
        found = {}
        for name, field in Settings.model_fields.items():
            value = getattr(self.settings, name)
            if value is None or name in NEVER or (name in SECRET_OF and SECRET_OF[name] not in secrets):
                continue
            alias = field.validation_alias
            found[alias if isinstance(alias, str) else str(alias.choices[0])] = _written(name, value)  # type: ignore[union-attr]
        return found

    def hidden(self) -> list[str]:
        """What must never be shown: the settings' secrets, and passwords of the addresses in use."""
        return [*self.settings.secrets(), *passwords(self.dsn), *passwords(self.owner_dsn)]


def _written(name: str, value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    if name == "source" and str(value).startswith("recorded:"):
        return f"recorded:{Path(str(value).partition(':')[2]).resolve()}"
    return str(value.resolve()) if isinstance(value, Path) else str(value)
