"""What people set by environment or `.env`: one short table."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import platformdirs
import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tipoff.domain.channel import addresses

H2H_2026 = "https://api-h2h.hudstats.com/v1"
H2H_2025 = "https://api-sis-stats.hudstats.com/v1"
WRITTEN = re.compile(r"://[^\s/:@]*:([^\s@]+)@")
"""the password in an address"""


class Settings(BaseSettings):
    """Every setting, with its help."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", hide_input_in_errors=True, env_ignore_empty=True, str_strip_whitespace=True,
    )  # fmt: skip

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
    history_url: str | None = Field(
        default=None,
        validation_alias="TIPOFF_HISTORY_URL",
        description="Address of the 2025 API, which tipoff history fetch asks for older results; absent: off.",
    )
    learn_older: bool = Field(
        default=False,
        validation_alias="TIPOFF_LEARN_OLDER",
        description="Whether forecasts learn from older results; alike for all processes.",
    )
    match_details: bool = Field(
        default=False,
        validation_alias="TIPOFF_MATCH_DETAILS",
        description="Whether scores by quarter are asked for as matches end; no forecast uses them.",
    )
    postgres_user: str = Field(
        default="nobody",
        validation_alias="TIPOFF_POSTGRES_USER",
        description="Who runs the private Postgres when Tipoff runs as root.",
    )
    seed: int = Field(default=7, validation_alias="TIPOFF_LEAGUE_SEED", description="Seed of the league.")
    render: str | None = Field(default=None, validation_alias="RENDER", description="Set by Render.")
    supabase_url: str | None = Field(
        default=None,
        validation_alias="SUPABASE_URL",
        description="The Supabase project, https://REF.supabase.co: models are stored there; no private Postgres.",
    )
    anon_key: SecretStr | None = Field(
        default=None,
        validation_alias="SUPABASE_ANON_KEY",
        description="The project's key for the public; nothing here needs it.",
    )
    supabase_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY", "SUPABASE_KEY"),
        description="The project's secret key, with which models are stored in Supabase Storage.",
    )
    bucket: str = Field(
        default="tipoff", validation_alias="TIPOFF_BUCKET", description="Bucket of Supabase Storage for models."
    )
    owner_database_url: SecretStr | None = Field(
        default=None,
        validation_alias="TIPOFF_OWNER_DATABASE_URL",
        description="The role that owns the tables, for migrations alone; absent: DATABASE_URL does it.",
    )
    horizons: Annotated[list[int], NoDecode] = Field(
        default=[30, 2],
        validation_alias="TIPOFF_HORIZONS",
        description="Minutes before the start at which forecasts are sealed.",
    )
    heads_every: float = Field(
        default=60.0,
        gt=0,
        validation_alias="TIPOFF_HEADS_EVERY",
        description="Minutes between two published heads of the ledger while tipoff up runs.",
    )

    heads_git: Path | None = Field(
        default=None,
        validation_alias="TIPOFF_HEADS_GIT",
        description="A git repository in which each published head also becomes a tag.",
    )

    league_url: str | None = Field(
        default=None,
        validation_alias="TIPOFF_LEAGUE_URL",
        description="Address of the league's server instead of the usual one (a mirror, tipoff serve-league).",
    )
    league_label: str | None = Field(
        default=None,
        validation_alias="TIPOFF_LEAGUE_LABEL",
        description="What the raw archive calls the built-in league.",
    )
    fresh_price: float = Field(
        default=15.0,
        gt=0,
        validation_alias="TIPOFF_FRESH_PRICE",
        description="Minutes for which a posted price is fresh: edge and expected value are shown against it.",
    )
    additions: str = Field(
        default="all",
        validation_alias="TIPOFF_ADDITIONS",
        description="Additions of the models that are trained from now on: all, none, or names between commas.",
    )
    job_modules: Annotated[list[str], NoDecode] = Field(
        default=[],
        validation_alias="TIPOFF_JOB_MODULES",
        description="Python modules with more job types (a list TYPES each).",
    )

    host: str = Field(
        default="127.0.0.1", validation_alias="API_HOST", description="Address at which tipoff up serves the API."
    )
    port: int = Field(
        default=8000,
        validation_alias=AliasChoices("PORT", "API_PORT"),
        description="Port at which tipoff up serves the API; PORT wins over API_PORT.",
    )
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default=[],
        validation_alias="CORS_ORIGINS",
        description='Origins whose pages may read the API: JSON or a comma list; ["*"] lets all, without cookies.',
    )
    operator_key: SecretStr | None = Field(
        default=None,
        validation_alias="OPERATOR_API_KEY",
        description="An API key with the scope admin, beside those that tipoff keys makes.",
    )
    open_reads: bool = Field(
        default=True,
        validation_alias="TIPOFF_OPEN_READS",
        description="Whether everybody may read; false: reading needs a key too.",
    )
    session_secret: SecretStr | None = Field(
        default=None,
        validation_alias="TIPOFF_SESSION_SECRET",
        description="What signs the dashboard's cookies, alike for all web processes; absent: from other settings.",
    )
    client_header: str | None = Field(
        default=None,
        validation_alias="TIPOFF_CLIENT_HEADER",
        description="Header in which a trusted proxy puts the client's address (on Render: CF-Connecting-IP).",
    )
    reads_a_minute: int = Field(
        default=600, ge=1, validation_alias="TIPOFF_READS_A_MINUTE", description="Reads a client may make."
    )
    writes_a_minute: int = Field(
        default=60, ge=1, validation_alias="TIPOFF_WRITES_A_MINUTE", description="Writes a client may make."
    )
    failures_a_minute: int = Field(
        default=10, ge=1, validation_alias="TIPOFF_FAILURES_A_MINUTE", description="Wrong keys a client may try."
    )
    streams: int = Field(
        default=50, ge=1, validation_alias="TIPOFF_STREAMS", description="Live streams a client may have open."
    )

    alert_urls: SecretStr | None = Field(
        default=None,
        validation_alias="TIPOFF_ALERT_URLS",
        description="Apprise addresses (mailto://, tgram:// ...) that are told of alerts: between spaces, or JSON.",
    )
    webhooks_private: bool = Field(
        default=False,
        validation_alias="TIPOFF_WEBHOOKS_PRIVATE",
        description="Whether webhooks may lead into private networks and to this machine, without TLS too.",
    )
    one_service: bool = Field(
        default=False,
        validation_alias="TIPOFF_ONE_SERVICE",
        description="Whether the web process also runs a worker, as a process beside it: for one small instance.",
    )
    log: Literal["auto", "json", "text"] = Field(
        default="auto",
        validation_alias="TIPOFF_LOG",
        description="json: lines on stdout; text: sentences on stderr; auto: text where stdout is a terminal.",
    )
    open_metrics: bool | None = Field(
        default=None,
        validation_alias="TIPOFF_OPEN_METRICS",
        description="Whether everybody may read /metrics; absent: where this is no deployment that others can reach.",
    )

    @field_validator("port", mode="before")
    @classmethod
    def _port(cls, value: object) -> object:
        return 8000 if isinstance(value, str) and value.strip() in ("$PORT", "${PORT}") else value

    @field_validator("operator_key")
    @classmethod
    def _stripped(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value().strip() if value else ""
        return SecretStr(text) if text else None

    @field_validator("alert_urls")
    @classmethod
    def _addresses(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value and addresses(value.get_secret_value()) else None

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value.lstrip().startswith("[") else value.replace(",", " ").split()
        except ValueError as error:
            raise ValueError('origins as JSON, like ["https://example.org"], or between commas') from error

    @field_validator("job_modules", mode="before")
    @classmethod
    def _modules(cls, value: object) -> object:
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @field_validator("horizons", mode="before")
    @classmethod
    def _horizons(cls, value: object) -> object:
        return [part for part in value.replace(",", " ").split() if part] if isinstance(value, str) else value

    @field_validator("horizons")
    @classmethod
    def _usable(cls, value: list[int]) -> list[int]:
        if not value or len(set(value)) != len(value) or not all(1 <= h <= 1440 for h in value):
            raise ValueError("minutes before the start, different ones from 1 to 1440, like 30,2")
        return sorted(value, reverse=True)

    @property
    def production(self) -> bool:
        """Whether this is a deployment that others can reach."""
        return bool(self.render or self.supabase_url)

    @property
    def metrics_are_open(self) -> bool:
        """Whether /metrics is shown without a key."""
        return not self.production if self.open_metrics is None else self.open_metrics

    def secrets(self) -> list[str]:
        """Everything that was set and must never be shown: secret settings whole, and passwords of addresses."""
        found = [self.token_command or ""]
        if self.alert_urls is not None:
            found += addresses(self.alert_urls.get_secret_value())
        for name in type(self).model_fields:
            found += _secrets(getattr(self, name))
        return [text for text in dict.fromkeys(found) if text]

    @property
    def heads(self) -> Path:
        """Where heads of the ledger are published."""
        return self.home / "ledger-heads.jsonl"


def names_of(field: FieldInfo) -> list[str]:
    """The variables that a setting is read from, the usual one first."""
    alias = field.validation_alias
    return [str(one) for one in alias.choices] if isinstance(alias, AliasChoices) else [str(alias)]


def _secrets(value: Any) -> Iterator[str]:
    """What is secret in the value of a setting."""
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        yield text
        yield from (part for part in re.split(r"[\s,]+", text) if "://" in part)
        yield from passwords(text)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _secrets(one)


def passwords(address: str) -> list[str]:
    """The password in the address of a database, as it is and as it is written there; none in anything else.

    >>> passwords("postgresql://me:a%2Fb@host/name"), passwords("host=here password=xyz"), passwords("a key")
    (['a%2Fb', 'a/b'], ['xyz'], [])
    """
    found = [part for written in WRITTEN.findall(address) for part in (written, unquote(written))]
    with contextlib.suppress(psycopg.ProgrammingError):
        found.append(str(conninfo_to_dict(address).get("password") or ""))
    return [text for text in dict.fromkeys(found) if text]
