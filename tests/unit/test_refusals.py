"""Settings that keep it from starting: each is named with its mend, and no secret is shown; what is safe starts."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.jobs import ROOT
from tipoff.errors import SettingsError
from tipoff.health.settings import HealthSettings
from tipoff.refusals import addresses, every
from tipoff.refusals.given import Role
from tipoff.settings import Settings, names_of
from tipoff.starting import checked_settings

WEB, WORKER, COMMAND = Role.WEB, Role.WORKER, Role.COMMAND


def jwt(role: str, project: str = "abcd") -> str:
    """An older key of Supabase."""
    parts = [{"alg": "HS256"}, {"iss": "supabase", "ref": project, "role": role}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".x"


POOLER = "aws-0-eu-central-1.pooler.supabase.com"
DATABASE = f"postgresql://postgres.abcd:tH1sW0rd@{POOLER}:5432/postgres"
SOUND = {
    "SUPABASE_URL": "https://abcd.supabase.co", "SUPABASE_ANON_KEY": "sb_publishable_9f3k",
    "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_Zq81mvXk", "OPERATOR_API_KEY": "pW4xN0q8sUe2Yb7L",
    "DATABASE_URL": f"{DATABASE}?sslmode=require",
    "API_HOST": "0.0.0.0", "API_PORT": "$PORT", "CORS_ORIGINS": '["*"]', "RENDER": "true", "WEB_CONCURRENCY": "1",  # noqa: S104
}  # fmt: skip
REFUSED: list[tuple[Role, dict[str, str], str, str]] = [
    (WEB, {"SUPABASE_URL": "abcd.supabase.co"}, "SUPABASE_URL", "https://<ref>.supabase.co"),
    (WEB, {"SUPABASE_URL": "http://abcd.supabase.co"}, "SUPABASE_URL", "not encrypted"),
    (WEB, {"SUPABASE_URL": "https://abcd.supabase.co/rest/v1"}, "SUPABASE_URL", "more than a host"),
    (WEB, {"SUPABASE_URL": "https://[abcd"}, "SUPABASE_URL", "no https address"),
    (WEB, {"SUPABASE_URL": "https://<ref>.supabase.co"}, "SUPABASE_URL", "no https address"),
    (WEB, {"SUPABASE_SERVICE_ROLE_KEY": " sb_publishable_x\n"}, "SUPABASE_SERVICE_ROLE_KEY", "for the public"),
    (WEB, {"SUPABASE_ANON_KEY": " sb_secret_other"}, "SUPABASE_ANON_KEY", "publishable key"),
    (WORKER, {"SUPABASE_SERVICE_ROLE_KEY": f"Bearer {jwt('service_role')}"}, "SUPABASE_SERVICE_ROLE_KEY", "blank"),
    (WORKER, {"SUPABASE_SERVICE_ROLE_KEY": "schlüssel"}, "SUPABASE_SERVICE_ROLE_KEY", "no key has"),
    (WORKER, {"SUPABASE_SERVICE_ROLE_KEY": '"sb_secret_x"'}, "SUPABASE_SERVICE_ROLE_KEY", "quotation marks"),
    (WEB, {"OPERATOR_API_KEY": "'pW4xN0q8sUe2Yb7L'"}, "OPERATOR_API_KEY", "quotation marks"),
    (WEB, {"PORT": '"8000"'}, "PORT", "quotation marks"),
    (WEB, {"DATABASE_URL": f"{DATABASE}?sslmode=Require"}, "DATABASE_URL", "disable, allow, prefer, require"),
    (WEB, {"DATABASE_URL": f"{DATABASE.replace(':t', ':@t')}?sslmode=require"}, "DATABASE_URL", "percent-encoded"),
    (WEB, {"DATABASE_URL": f"{DATABASE}?pgbouncer=true"}, "DATABASE_URL", "take pgbouncer="),
    (WEB, {"DATABASE_URL": f"postgresql+asyncpg{DATABASE[10:]}"}, "DATABASE_URL", "postgresql:// alone"),
    (WEB, {"DATABASE_URL": DATABASE.replace("5432", "54321234")}, "DATABASE_URL", "host:port"),
    (WEB, {"SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_x"}, "SUPABASE_SERVICE_ROLE_KEY", "sb_secret_"),
    (WORKER, {"SUPABASE_SERVICE_ROLE_KEY": jwt("anon")}, "SUPABASE_SERVICE_ROLE_KEY", "service_role key"),
    (WEB, {"SUPABASE_SERVICE_ROLE_KEY": jwt("service_role", "efgh")}, "SUPABASE_SERVICE_ROLE_KEY", "another project"),
    (WORKER, {"SUPABASE_KEY": "sb_secret_another"}, "SUPABASE_SERVICE_ROLE_KEY", "set one of them"),
    (WEB, {"SUPABASE_ANON_KEY": "sb_secret_other"}, "SUPABASE_ANON_KEY", "publishable key"),
    (WEB, {"SUPABASE_ANON_KEY": jwt("service_role")}, "SUPABASE_ANON_KEY", "replace the secret one"),
    (WORKER, {"DATABASE_URL": "https://abcd.supabase.co"}, "DATABASE_URL", "postgresql://"),
    (WEB, {"DATABASE_URL": f"postgresql://postgres.abcd:p@ss@{POOLER}/postgres"}, "DATABASE_URL", "percent-encoded"),
    (WEB, {"DATABASE_URL": f"postgresql://postgres.abcd:p/ss@{POOLER}/postgres"}, "DATABASE_URL", "percent-encoded"),
    (WEB, {"DATABASE_URL": f"postgresql://postgres.abcd:[YOUR-PASSWORD]@{POOLER}/x"}, "DATABASE_URL", "placeholder"),
    (WEB, {"DATABASE_URL": "postgresql://postgres:a@db.efgh.supabase.co/x"}, "DATABASE_URL", "same project"),
    (WEB, {"DATABASE_URL": f"postgresql://postgres:a@{POOLER}/postgres"}, "DATABASE_URL", "postgres.<ref>"),
    (WORKER, {"DATABASE_URL": f"postgresql://anon.abcd:a@{POOLER}/postgres"}, "DATABASE_URL", "role of your own"),
    (WEB, {"DATABASE_URL": "postgresql://me:a@db.example.org/x?sslmode=disable"}, "DATABASE_URL", "sslmode=require"),
    (WEB, {"TIPOFF_OWNER_DATABASE_URL": "mysql://x"}, "TIPOFF_OWNER_DATABASE_URL", "postgresql://"),
    (WEB, {"OPERATOR_API_KEY": "short"}, "OPERATOR_API_KEY", "openssl rand"),
    (WEB, {"OPERATOR_API_KEY": "aaaaaaaaaaaaaaaaaaaaaaaa"}, "OPERATOR_API_KEY", "guessed"),
    (WEB, {"TIPOFF_SESSION_SECRET": "changeme-changeme-1"}, "TIPOFF_SESSION_SECRET", "openssl rand"),
    (WEB, {"OPERATOR_API_KEY": SOUND["SUPABASE_SERVICE_ROLE_KEY"]}, "OPERATOR_API_KEY", "each its own"),
    (WEB, {"TIPOFF_SESSION_SECRET": "tH1sW0rd"}, "TIPOFF_SESSION_SECRET", "the password of DATABASE_URL"),
    (WEB, {"CORS_ORIGINS": '["https://a.example"'}, "CORS_ORIGINS", "JSON"),
    (WEB, {"CORS_ORIGINS": "https://a.example/"}, "CORS_ORIGINS", "without a path"),
    (WEB, {"CORS_ORIGINS": "null"}, "CORS_ORIGINS", "no browser sends"),
    (WEB, {"FORWARDED_ALLOW_IPS": "*", "RENDER": ""}, "FORWARDED_ALLOW_IPS", "TIPOFF_CLIENT_HEADER"),
    (WEB, {"TIPOFF_CLIENT_HEADER": "X-Forwarded-For"}, "TIPOFF_CLIENT_HEADER", "X-Real-IP"),
    (WORKER, {"TIPOFF_WEBHOOKS_PRIVATE": "true"}, "TIPOFF_WEBHOOKS_PRIVATE", "take it away"),
    (WEB, {"PORT": "19099"}, "PORT", "Render sets PORT"),
    (WEB, {"PORT": "70000"}, "PORT", "1 to 65535"),
    (COMMAND, {"API_PORT": "web"}, "API_PORT", "integer"),
    (WORKER, {"SUPABASE_SERVICE_ROLE_KEY": ""}, "SUPABASE_SERVICE_ROLE_KEY", "disk that vanishes"),
    (WORKER, {"SUPABASE_URL": "", "SUPABASE_SERVICE_ROLE_KEY": ""}, "SUPABASE_URL", "TIPOFF_HOME"),
    (WORKER, {"SUPABASE_URL": "your_supabase_url"}, "SUPABASE_URL", "example"),
    (WORKER, {"DATABASE_URL": ""}, "DATABASE_URL", "Session pooler"),
    (WEB, {"TIPOFF_ONE_SERVICE": "true", "SUPABASE_SERVICE_ROLE_KEY": ""}, "SUPABASE_SERVICE_ROLE_KEY", "vanishes"),
    (WEB, {"TIPOFF_ONE_SERVICE": "true", "WEB_CONCURRENCY": "2"}, "TIPOFF_ONE_SERVICE", "WEB_CONCURRENCY=1"),
    (WORKER, {"TIPOFF_SOURCE": "recorded:days"}, "TIPOFF_SOURCE", "clock stands still"),
    (COMMAND, {"TIPOFF_SOURCE": "nba"}, "TIPOFF_SOURCE", "h2h-2026"),
    (WORKER, {"TIPOFF_LEAGUE_URL": "mirror.example.org"}, "TIPOFF_LEAGUE_URL", "https://"),
    (WORKER, {"TIPOFF_HISTORY_URL": "mirror.example.org"}, "TIPOFF_HISTORY_URL", "https://"),
    (WEB, {"TIPOFF_BUCKET": "a/b"}, "TIPOFF_BUCKET", "letters, digits"),
    (WORKER, {"TIPOFF_ADDITIONS": "noise,magic"}, "TIPOFF_ADDITIONS", "no addition is called 'magic'; there are new"),
    (COMMAND, {"TIPOFF_ADDITIONS": "all,noise"}, "TIPOFF_ADDITIONS", "no addition is called 'all'"),
    (WORKER, {"TIPOFF_ADDITIONS": ","}, "TIPOFF_ADDITIONS", "no addition is named"),
    (WORKER, {"TIPOFF_HORIZONS": "0"}, "TIPOFF_HORIZONS", "minutes before the start"),
    (WEB, {"TIPOFF_HEALTH_EVERY": "often"}, "TIPOFF_HEALTH_EVERY", "number"),
    (WEB, {"TIPOFF_HEALTH_DISK_PERCENT_WARNING": "99"}, "TIPOFF_HEALTH_DISK_PERCENT_WARNING", "above"),
]  # fmt: skip
NEAR = {"SUPABASE_URL": "http://127.0.0.1:54321", "RENDER": "", "DATABASE_URL": "postgresql://me:pw@localhost/x"}
STARTS: list[tuple[Role, dict[str, str]]] = [
    (WEB, {}), (WORKER, {}), (COMMAND, {}),
    (WEB, {"SUPABASE_URL": "your_supabase_url", "SUPABASE_ANON_KEY": "your_anon_key",
           "SUPABASE_SERVICE_ROLE_KEY": "your_service_key", "DATABASE_URL": ""}),
    (WEB, {"SUPABASE_ANON_KEY": jwt("anon"), "SUPABASE_SERVICE_ROLE_KEY": jwt("service_role")}),
    (WORKER, {"SUPABASE_SERVICE_ROLE_KEY": "", "SUPABASE_KEY": "sb_secret_x"}),
    (WORKER, {"SUPABASE_SECRET_KEY": SOUND["SUPABASE_SERVICE_ROLE_KEY"]}),
    (WORKER, {"SUPABASE_ANON_KEY": "your_anon_key"}),
    (WEB, {name: f" {value}\n" for name, value in SOUND.items()}),  # as they are pasted
    (WORKER, {name: f" {value}\n" for name, value in SOUND.items()}),
    (COMMAND, {"TIPOFF_H2H_2025_TOKEN_COMMAND": "'my program' 'its argument'"}),
    (WEB, {"SUPABASE_URL": "http://[::1]:54321"}),
    (WEB, {"SUPABASE_SERVICE_ROLE_KEY": "", "OPERATOR_API_KEY": ""}),
    (WEB, {"SUPABASE_URL": "https://data.example.org/"}),
    (WEB, {"DATABASE_URL": "postgresql://postgres:a@db.abcd.supabase.co:5432/postgres"}),
    (WEB, {"DATABASE_URL": "postgresql://me:p%40ss@dpg-x1-a/x?sslmode=disable"}),
    (WEB, {"DATABASE_URL": "host=10.1.2.3,10.1.2.4 port=5432,5433 user=me sslmode=disable"}),
    (WEB, {"FORWARDED_ALLOW_IPS": "*"}),  # on Render CF-Connecting-IP decides
    (WEB, {"FORWARDED_ALLOW_IPS": "*", "RENDER": "", "TIPOFF_CLIENT_HEADER": "X-Real-IP"}),
    (WEB, {"CORS_ORIGINS": "https://a.example, capacitor://localhost http://localhost:3000"}),
    (WORKER, {"TIPOFF_ADDITIONS": "none"}), (WORKER, {"TIPOFF_ADDITIONS": "newcomers, noise"}),
    (WEB, {"TIPOFF_ONE_SERVICE": "true"}), (WEB, {"WEB_CONCURRENCY": "3"}),
    (WORKER, {"SUPABASE_URL": "", "SUPABASE_SERVICE_ROLE_KEY": "", "TIPOFF_HOME": "/var/data"}),
    (WORKER, {**NEAR, "TIPOFF_WEBHOOKS_PRIVATE": "true", "TIPOFF_SOURCE": "recorded:days"}),
    (WORKER, {"TIPOFF_HORIZONS": "", "TIPOFF_SOURCE": "league", "TIPOFF_LEAGUE_URL": "http://127.0.0.1:1/v1"}),
]  # fmt: skip


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment in which nothing of ours is set."""
    monkeypatch.chdir(tmp_path)
    for name in [name for field in Settings.model_fields.values() for name in names_of(field)]:
        monkeypatch.delenv(name, raising=False)
    for name in ("FORWARDED_ALLOW_IPS", "WEB_CONCURRENCY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def _set(monkeypatch: pytest.MonkeyPatch, changed: dict[str, str]) -> None:
    for name, value in {**SOUND, **changed}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("role", "changed", "setting", "mend"), REFUSED)
def test_it_is_refused(
    bare: pytest.MonkeyPatch, role: Role, changed: dict[str, str], setting: str, mend: str
) -> None:
    """A deployment that starts unsafe, or fails an hour later; a message that leaves one guessing or shows a key."""
    _set(bare, changed)
    with pytest.raises(SettingsError) as raised:
        checked_settings(role)
    [fault] = [one for one in raised.value.faults if one.startswith(f"{setting} ") and mend in one]
    hidden = {v for v in {**SOUND, **changed}.values() if len(v) > 8 and ("sb_" in v or "eyJ" in v or "@" in v)}
    assert not [value for value in {*hidden, "tH1sW0rd", "p@ss"} if value in str(raised.value)], fault


@pytest.mark.parametrize(("role", "changed"), STARTS)
def test_it_starts(bare: pytest.MonkeyPatch, role: Role, changed: dict[str, str]) -> None:
    """A refusal of something that works and is safe."""
    _set(bare, changed)
    checked_settings(role)


def test_what_was_pasted_with_blanks_is_used_without(bare: pytest.MonkeyPatch) -> None:
    """A database named with a line's end, a key that no header can carry; secrets that the log then does not hide."""
    _set(bare, {name: f" {value}\n" for name, value in SOUND.items()})
    settings = checked_settings(WORKER)
    assert (settings.supabase_url, settings.port) == (SOUND["SUPABASE_URL"], 8000)
    for name in ("SUPABASE_SERVICE_ROLE_KEY", "DATABASE_URL", "OPERATOR_API_KEY"):
        assert SOUND[name] in settings.secrets()


def test_a_laptop_needs_no_setting(bare: pytest.MonkeyPatch) -> None:
    """A refusal of somebody's first minute."""
    for role in Role:
        assert checked_settings(role).database_url is None


def test_everything_is_said_at_once(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A mend at a time, and a deployment for each; what is in .env overlooked."""
    (tmp_path / ".env").write_text("SUPABASE_KEY=sb_secret_another\nOPERATOR_API_KEY=short\n")
    wrong = {"PORT": "x", "CORS_ORIGINS": "[", "TIPOFF_BUCKET": "a/b", "TIPOFF_HEALTH_EVERY": "x", "TIPOFF_LOG": "x"}
    _set(bare, wrong)
    bare.delenv("OPERATOR_API_KEY")
    with pytest.raises(SettingsError) as raised:
        checked_settings(WORKER)
    named = [fault.partition(" ")[0] for fault in raised.value.faults]
    assert sorted(named) == sorted([*wrong, "SUPABASE_SERVICE_ROLE_KEY", "OPERATOR_API_KEY"])
    assert "settings:\n  PORT " in str(raised.value)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"DATABASE_URL": f"postgresql://postgres.abcd:x@{POOLER}:6543/postgres?sslmode=require"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://postgres:x@db.abcd.supabase.co/x?sslmode=require"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://me:x@db.example.org/x"}, "DATABASE_URL"),
        ({"CORS_ORIGINS": "*"}, "CORS_ORIGINS"),
        ({"TIPOFF_SOURCE": "league"}, "TIPOFF_SOURCE"),
        ({"TIPOFF_OPEN_METRICS": "true"}, "TIPOFF_OPEN_METRICS"),
        ({"FORWARDED_ALLOW_IPS": "*"}, "FORWARDED_ALLOW_IPS"),
        ({"TIPOFF_LEAGUE_URL": "http://mirror.example.org"}, "TIPOFF_LEAGUE_URL"),
        ({"TIPOFF_HISTORY_URL": "http://mirror.example.org"}, "TIPOFF_HISTORY_URL"),
    ],
)
def test_what_is_doubtful_is_said_by_the_doctor(
    bare: pytest.MonkeyPatch, changed: dict[str, str], named: str
) -> None:
    """A warning that never comes, or one for what is as it should be."""
    _set(bare, {"CORS_ORIGINS": "", **changed})
    environment = {**SOUND, "CORS_ORIGINS": "", **changed}
    assert [one.setting for one in every.doubts(Settings(), environment)] == [named]


def test_each_refusal_is_in_the_guide() -> None:
    """A refusal that no page explains."""
    page = (ROOT / "docs" / "deploy-render.md").read_text().partition("## What a refusal means\n")[2]
    health = {f"TIPOFF_HEALTH_{name}".upper() for name in HealthSettings.model_fields}
    for setting in {one[2] for one in REFUSED} - health:
        assert f"| `{setting}" in page or f", `{setting}`" in page, setting


def test_addresses_that_are_near() -> None:
    """This machine taken for another one, or the reverse."""
    near = ["", "localhost", "127.0.0.1", "::1", "/var/run/postgresql", "127.8.9.1"]
    assert all(addresses.is_near(host) for host in near)
    assert not any(addresses.is_near(host) for host in ["10.0.0.1", "example.org", "localhost.example.org", "::2"])
    private = ["dpg-x1-a", "db.internal", "192.168.1.1", "fd00::1", "::1"]
    assert all(addresses.on_a_private_network(host) for host in private)
    assert not any(addresses.on_a_private_network(host) for host in ["8.8.8.8", "db.example.org", "2606:4700::1"])
