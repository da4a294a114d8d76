"""Write the table of thresholds in docs/health.md from the settings themselves; a test holds the page to it."""

from __future__ import annotations

from pathlib import Path

from tipoff.health.settings import HealthSettings

PAGE = Path("docs/health.md")
BEGIN = "<!-- settings: written by python -m scripts.health_settings -->\n"
END = "<!-- end of settings -->\n"


def table() -> str:
    """Each variable, its default, its help."""
    rows = [
        f"| `TIPOFF_HEALTH_{name.upper()}` | {_default(field.default)} | {field.description} |"
        for name, field in HealthSettings.model_fields.items()
    ]
    return "\n".join(["| variable | default | what |", "|---|---|---|", *rows]) + "\n"


def _default(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def main() -> None:
    """Write the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
