"""What people set by environment or `.env`: one short table."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

H2H_2026 = "https://api-h2h.hudstats.com/v1"
H2H_2025 = "https://api-sis-stats.hudstats.com/v1"


class Settings(BaseSettings):
    """Every setting, with its help."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", populate_by_name=True)

    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("tipoff")),
        validation_alias="TIPOFF_HOME",
        description="Data directory: private database, models.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="Postgres to use; absent: a private Postgres under TIPOFF_HOME.",
    )
    source: str = Field(
        default="h2h-2026",
        validation_alias="TIPOFF_SOURCE",
        description="h2h-2026, h2h-2025, recorded:PATH, or league (simulated).",
    )
    spacing: float = Field(
        default=1.2,
        ge=0,
        validation_alias="TIPOFF_SPACING",
        description="Least seconds between two requests to the real league.",
    )
    token: SecretStr | None = Field(
        default=None,
        validation_alias="TIPOFF_H2H_2025_TOKEN",
        description="Guest token of the 2025 API.",
    )
    token_command: str | None = Field(
        default=None,
        validation_alias="TIPOFF_H2H_2025_TOKEN_COMMAND",
        description="Command that prints a guest token of the 2025 API.",
    )
    postgres_user: str = Field(
        default="nobody",
        validation_alias="TIPOFF_POSTGRES_USER",
        description="Who runs the private Postgres when Tipoff runs as root.",
    )
    seed: int = Field(default=7, validation_alias="TIPOFF_LEAGUE_SEED", description="Seed of the league.")
    render: str | None = Field(default=None, validation_alias="RENDER", description="Set by Render.")
    supabase_url: str | None = Field(
        default=None, validation_alias="SUPABASE_URL", description="The Supabase project."
    )

    @property
    def models(self) -> Path:
        """Where model files live."""
        return self.home / "models"
