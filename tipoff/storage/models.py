"""Which models exist, which one forecasts, and what its filter knows."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from tipoff.errors import ConflictError, InputError
from tipoff.storage.pool import Connection


@dataclasses.dataclass(frozen=True, slots=True)
class Registered:
    """A row of the registry; `verdict` is waiting, passed or refused, `reason` says why."""

    version: int
    sha256: str
    created_at: dt.datetime
    document: dict[str, Any]
    active: bool
    verdict: str
    reason: str
    gate: dict[str, Any] | None
    code_version: str
    size_bytes: int
    activated_at: dt.datetime | None
    pruned_at: dt.datetime | None


COLUMNS = (
    "version, sha256, created_at, document, active, verdict, reason, gate, code_version, size_bytes, activated_at, "
    "pruned_at"
)


CHAMPION_LOCK = 7_204_022


def lock_champion(connection: Connection) -> None:
    """One change of champion at a time, until the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(%s)", (CHAMPION_LOCK,))


def register(
    connection: Connection, sha256: str, document: dict[str, Any], now: dt.datetime, code_version: str = "",
    size: int = 0,
) -> None:  # fmt: skip
    """Note a trained model, waiting for its verdict; the same one twice is one."""
    connection.execute(
        "insert into model_registry (sha256, created_at, document, code_version, size_bytes) "
        "values (%s, %s, %s, %s, %s) on conflict (sha256) do nothing",
        (sha256, now, Jsonb(document), code_version, size),
    )


def rule(connection: Connection, sha256: str, passed: bool, reason: str, gate: dict[str, Any]) -> None:
    """Write down what the gate said."""
    connection.execute(
        "update model_registry set verdict = %s, reason = %s, gate = %s where sha256 = %s",
        ("passed" if passed else "refused", reason, Jsonb(gate), sha256),
    )


def activate(connection: Connection, sha256: str, now: dt.datetime) -> None:
    """Let this model forecast and no other, in the caller's transaction.

    Raises InputError when it was refused by the gate, was never judged, or its files are gone.
    """
    row = connection.execute(
        "select verdict, reason, pruned_at from model_registry where sha256 = %s for update", (sha256,)
    ).fetchone()
    if row is None:
        raise InputError(f"there is no model {sha256[:12]}: see tipoff models list")
    if row[2] is not None:
        raise InputError(f"model {sha256[:12]} was pruned: its files are gone")
    if row[0] != "passed":
        raise InputError(f"model {sha256[:12]} may not forecast: {row[0]} ({row[1] or 'never judged'})")
    connection.execute("update model_registry set active = false where active and sha256 <> %s", (sha256,))
    connection.execute(
        "update model_registry set active = true, activated_at = %s where sha256 = %s and not active", (now, sha256)
    )


def prunable(connection: Connection, keep: int) -> list[Registered]:
    """Models beyond the newest `keep` that do not forecast and still have files, oldest first."""
    rows = connection.execute(
        f"select {COLUMNS} from model_registry where not active and pruned_at is null and version not in "
        "(select version from model_registry where pruned_at is null order by version desc limit %s) "
        "order by version".encode(),
        (keep,),
    ).fetchall()
    return [Registered(*row) for row in rows]


def mark_pruned(connection: Connection, sha256: str, now: dt.datetime) -> None:
    """Its files and its filter's state are gone; what it was and scored stays."""
    connection.execute("delete from filter_states where model_sha256 = %s", (sha256,))
    connection.execute("update model_registry set pruned_at = %s where sha256 = %s", (now, sha256))


def listed(connection: Connection) -> list[Registered]:
    """Every model, newest first."""
    rows = connection.execute(f"select {COLUMNS} from model_registry order by version desc".encode()).fetchall()
    return [Registered(*row) for row in rows]


def find(connection: Connection, name: str) -> Registered:
    """A model by version number, sha256, or the beginning of its sha256; raises InputError unless it is one."""
    if name == "active":
        where, value = "active", None
    elif name.isdigit() and len(name) < 9:
        where, value = "version = %(v)s", name
    else:
        where, value = "sha256 like %(v)s", name.replace("%", "").replace("_", "") + "%"
    rows = connection.execute(
        f"select {COLUMNS} from model_registry where {where} limit 2".encode(), {"v": value}
    ).fetchall()
    if len(rows) != 1:
        raise InputError(f"{name!r} names {'several models' if rows else 'no model'}: see tipoff models list")
    return Registered(*rows[0])


def champion(connection: Connection) -> Registered | None:
    """The model that forecasts, as registered."""
    row = connection.execute(f"select {COLUMNS} from model_registry where active".encode()).fetchone()
    return None if row is None else Registered(*row)


def active(connection: Connection) -> tuple[str, dict[str, Any]] | None:
    """sha256 and document of the model that forecasts."""
    row = connection.execute("select sha256, document from model_registry where active").fetchone()
    return None if row is None else (row[0], row[1])


def keep_importance(connection: Connection, sha256: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Rows of (group, matches, then mean, low, high of log loss, margin MAE, total MAE)."""
    connection.execute("delete from feature_importance where model_sha256 = %s", (sha256,))
    if rows:
        one = f"({', '.join(['%s'] * (1 + len(rows[0])))})"
        connection.execute(
            f"insert into feature_importance values {', '.join([one] * len(rows))}".encode(),
            [value for row in rows for value in (sha256, *row)],
        )


def importance_of(connection: Connection, sha256: str) -> list[dict[str, Any]]:
    """The stored importance of each group, most useful first."""
    rows = connection.execute(
        "select feature_group, matches, log_loss, log_loss_low, log_loss_high, margin_mae, margin_mae_low, "
        "margin_mae_high, total_mae, total_mae_low, total_mae_high from feature_importance "
        "where model_sha256 = %s order by log_loss desc, total_mae desc",
        (sha256,),
    ).fetchall()
    names = ("group", "matches", "log_loss", "log_loss_low", "log_loss_high", "margin_mae", "margin_mae_low",
             "margin_mae_high", "total_mae", "total_mae_low", "total_mae_high")  # fmt: skip
    return [dict(zip(names, row, strict=True)) for row in rows]


def scored(connection: Connection) -> dict[str, dict[str, Any]]:
    """What each model's sealed forecasts scored, over all days, by sha256."""
    rows = connection.execute(
        "select sha256, days, matches, last_day, log_loss, brier, accuracy, margin_mae, total_mae "
        "from model_performance_summary where matches > 0"
    ).fetchall()
    names = ("days", "matches", "last_day", "log_loss", "brier", "accuracy", "margin_mae", "total_mae")
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}


def keep_performance(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Rows of (model, day, matches, log loss, Brier, accuracy, margin MAE, total MAE, both inside, at)."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into model_performance values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "on conflict (model_sha256, day) do update set matches = excluded.matches, "
            "log_loss = excluded.log_loss, brier = excluded.brier, accuracy = excluded.accuracy, "
            "margin_mae = excluded.margin_mae, total_mae = excluded.total_mae, "
            "margin_inside = excluded.margin_inside, total_inside = excluded.total_inside, "
            "updated_at = excluded.updated_at",
            rows,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class StoredState:
    """A filter state at a revision: the log entry it has seen last, the hash of the log so far, its npz.

    `older`: whether it has learned from older results too.
    """

    revision: int
    last_arrival_id: int
    data_sha256: str
    blob: bytes
    older: bool = False


def load_state(connection: Connection, sha256: str) -> StoredState | None:
    """The newest state of a model's filter."""
    row = connection.execute(
        "select revision, last_arrival_id, data_sha256, state, older from filter_states where model_sha256 = %s",
        (sha256,),
    ).fetchone()
    return None if row is None else StoredState(int(row[0]), int(row[1]), row[2], bytes(row[3]), row[4])


def save_state(
    connection: Connection, sha256: str, expected: StoredState | None, new: StoredState, matches: int,
    now: dt.datetime,
) -> None:  # fmt: skip
    """Compare and swap; raises ConflictError when the stored state is no longer the `expected` one."""
    values = (new.last_arrival_id, new.data_sha256, matches, new.blob, new.older, now)
    if expected is None:
        cursor = connection.execute(
            "insert into filter_states (last_arrival_id, data_sha256, matches, state, older, updated_at, "
            "revision, model_sha256) values (%s, %s, %s, %s, %s, %s, 1, %s) on conflict do nothing",
            (*values, sha256),
        )
    else:
        cursor = connection.execute(
            "update filter_states set last_arrival_id = %s, data_sha256 = %s, matches = %s, state = %s, "
            "older = %s, updated_at = %s, revision = revision + 1 where model_sha256 = %s and revision = %s",
            (*values, sha256, expected.revision),
        )
    if cursor.rowcount != 1:
        raise ConflictError(f"another process has moved the filter of model {sha256[:12]} on; load it again")


def newest_state(connection: Connection) -> tuple[str, int, int, dt.datetime] | None:
    """(sha256, version, revision, when) of the champion's state, without the state.

    A new champion learns with its first job, up to a minute later: until then it is the state of the one before.
    """
    row = connection.execute(
        "select r.sha256, r.version, f.revision, f.updated_at from model_registry r "
        "join filter_states f on f.model_sha256 = r.sha256 where r.activated_at is not null "
        "and exists (select from model_registry where active) order by r.active desc, r.activated_at desc limit 1"
    ).fetchone()
    return None if row is None else (row[0], int(row[1]), int(row[2]), row[3])


def page(connection: Connection, limit: int, before: int | None) -> list[Registered]:
    """Models, newest first; `before` is the version of the last one seen."""
    rows = connection.execute(
        f"select {COLUMNS} from model_registry where %(before)s::integer is null or version < %(before)s "
        "order by version desc limit %(limit)s".encode(),
        {"before": before, "limit": limit},
    ).fetchall()
    return [Registered(*row) for row in rows]


def performance_page(
    connection: Connection, version: int | None, limit: int, before: tuple[dt.date, int] | None
) -> list[dict[str, Any]]:
    """Days of model_performance, newest first; `before` is (day, version) of the last one seen."""
    cursor = connection.execute(
        """
        select r.version as model_version, p.model_sha256, p.day, p.matches, p.log_loss, p.brier, p.accuracy,
          p.margin_mae, p.total_mae, p.margin_inside, p.total_inside
        from model_performance p join model_registry r on r.sha256 = p.model_sha256
        where (%(version)s::integer is null or r.version = %(version)s)
          and (%(day)s::date is null or p.day < %(day)s or (p.day = %(day)s and r.version < %(last)s))
        order by p.day desc, r.version desc limit %(limit)s
        """,
        {"version": version, "limit": limit, "day": before[0] if before else None,
         "last": before[1] if before else None},
    )  # fmt: skip
    names = [column.name for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def performance_since(connection: Connection, day: dt.date) -> dict[str, Any] | None:
    """What the champion's sealed forecasts scored since that day, and the log loss it promised; None: nothing yet."""
    row = connection.execute(
        """
        select r.version, sum(p.matches)::int, sum(p.matches * p.log_loss) / sum(p.matches),
          sum(p.matches * p.accuracy) / sum(p.matches),
          (r.document #>> '{measured,models,0,measures,log_loss,mean}')::float8
        from model_registry r join model_performance p on p.model_sha256 = r.sha256
        where r.active and p.day >= %s group by r.sha256
        """,
        (day,),
    ).fetchone()
    names = ("version", "matches", "log_loss", "accuracy", "promised")
    return None if row is None else dict(zip(names, row, strict=True))


def performance_by_day(connection: Connection, days: int) -> list[tuple[float, ...]]:
    """(matches, log loss, accuracy, margin MAE, total MAE) of the newest days with grades, all models together."""
    return connection.execute(
        """
        select sum(matches)::float8, sum(matches * log_loss) / sum(matches), sum(matches * accuracy) / sum(matches),
          sum(matches * margin_mae) / sum(matches), sum(matches * total_mae) / sum(matches)
        from model_performance group by day order by day desc limit %s
        """,
        (days,),
    ).fetchall()
