"""Write docs/settings.md and .env.example from the settings themselves; a test holds both to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from scripts.health_settings import table as health_table
from tipoff.health.settings import HealthSettings
from tipoff.settings import Settings, names_of

PAGE, EXAMPLE = Path("docs/settings.md"), Path(".env.example")
GROUPS = {
    "Where things are": ("home", "database_url", "owner_database_url", "postgres_user"),
    "Supabase": ("supabase_url", "anon_key", "supabase_key", "bucket"),
    "Dashboard and API": (
        "host", "port", "cors_origins", "operator_key", "session_secret", "open_reads", "open_metrics",
        "client_header", "reads_a_minute", "writes_a_minute", "failures_a_minute", "streams",
    ),
    "Matches": (
        "source", "spacing", "token", "token_command", "league_url", "league_label", "seed", "history_url",
        "learn_older", "match_details",
    ),
    "Forecasts and jobs": (
        "horizons", "additions", "heads_every", "heads_git", "fresh_price", "job_modules", "one_service",
    ),
    "People and logs": ("alert_urls", "webhooks_private", "log"),
    "Set by the platform": ("render",),
}  # fmt: skip
"""every setting once; a test says which is missing"""
OTHERS = {
    "WEB_CONCURRENCY": "Web processes that uvicorn starts; 1 where there are 512 MB.",
    "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": "Seconds that answers which have begun get when the web process stops.",
    "UVICORN_TIMEOUT_KEEP_ALIVE": "Seconds an idle line stays open: more than at the proxy before it.",
    "FORWARDED_ALLOW_IPS": "Proxies whose X-Forwarded-For uvicorn believes; see TIPOFF_CLIENT_HEADER.",
    "NUMBA_CACHE_DIR": "Where compiled kernels are kept: a folder that can be written to.",
    "PYTHON_VERSION": "Which Python Render installs, like 3.11.14.",
}
"""what others read, and a deployment sets"""
TOP = """# Settings

Written by `python -m scripts.settings` from the settings themselves; `.env.example` is the same as a file.

Settings come from the environment, or from a file `.env` in the working directory, which the environment
overrules. An empty one counts as not set. Settings marked *secret* are never shown: not in logs, not in answers, not
by `tipoff doctor`. What is unsafe or cannot work keeps every process from starting, with exit code 2 and one
sentence for each fault ([what a refusal means](deploy-render.md#what-a-refusal-means)); `tipoff doctor` also says
what is only doubtful.
"""
HEAD = """# Settings of Tipoff: copy to .env and take away the # before what you change.
# Written by python -m scripts.settings; docs/settings.md is the same as a page. Nothing is needed on a laptop.
"""


def page() -> str:
    """docs/settings.md."""
    parts = [TOP]
    for group, names in GROUPS.items():
        rows = [_row(Settings.model_fields[name]) for name in names]
        parts.append(f"## {group}\n\n| variable | default | what |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    rows = [f"| `{name}` | | {help_} |" for name, help_ in OTHERS.items()]
    parts.append("## Read by others\n\n| variable | default | what |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    parts.append(f"## Health\n\nWhat each check is and does is in [health.md](health.md).\n\n{health_table()}")
    return "\n".join(parts)


def example() -> str:
    """.env.example."""
    parts = [HEAD]
    for group, names in GROUPS.items():
        lines = [f"\n# --- {group}"]
        for name in names:
            field = Settings.model_fields[name]
            marked = " (secret)" if is_secret(name, field) else ""
            also = "".join(f" (also {other})" for other in names_of(field)[1:])
            lines += [f"# {field.description}{also}{marked}", f"#{names_of(field)[0]}={_default(field)}"]
        parts.append("\n".join(lines) + "\n")
    count = len(HealthSettings.model_fields)
    return "".join([*parts, f"\n# --- Health\n# {count} thresholds, each TIPOFF_HEALTH_<NAME>: docs/settings.md\n"])


def is_secret(name: str, field: FieldInfo) -> bool:
    """Whether its value is never shown."""
    return SecretStr.__name__ in str(field.annotation) or name == "token_command"


def _row(field: FieldInfo) -> str:
    names = names_of(field)
    also = f" Also read as {', '.join(f'`{name}`' for name in names[1:])}." if len(names) > 1 else ""
    name = next(n for n, f in Settings.model_fields.items() if f is field)
    secret = " *Secret.*" if is_secret(name, field) else ""
    default = _default(field)
    shown = f"`{default}`" if default else ""
    return f"| `{names[0]}` | {shown} | {field.description}{also}{secret} |"


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value in (None, PydanticUndefined, []):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(str(one) for one in value) if isinstance(value, list) else str(value)


def main() -> None:
    """Write both."""
    PAGE.write_text(page())
    EXAMPLE.write_text(example())


if __name__ == "__main__":
    main()
