"""What a schema is made of, read from the catalogue, so that two can be compared."""

from __future__ import annotations

import contextlib
from typing import Any

import psycopg

OURS = "relnamespace = 'public'::regnamespace"
GRANTS = "array(select one::text from unnest({}) one order by 1)"
PARTS = {
    "relations": f"""
        select relname, relkind, relowner::regrole, relpersistence, relrowsecurity, relforcerowsecurity, reloptions,
          {GRANTS.format("relacl")}, obj_description(oid, 'pg_class') from pg_class where {OURS}""",
    "columns": f"""
        select c.relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
          attcollation, pg_get_expr(d.adbin, d.adrelid), {GRANTS.format("attacl")}, col_description(c.oid, attnum)
        from pg_class c join pg_attribute a on a.attrelid = c.oid and attnum > 0 and not attisdropped
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = attnum where {OURS}""",
    "constraints": """
        select conrelid::regclass, conname, contype, pg_get_constraintdef(oid), convalidated from pg_constraint
        where connamespace = 'public'::regnamespace""",
    "indexes": f"select relname, pg_get_indexdef(oid) from pg_class where relkind = 'i' and {OURS}",
    "views": f"select relname, pg_get_viewdef(oid) from pg_class where relkind in ('v', 'm') and {OURS}",
    "sequences": """
        select sequencename, data_type, start_value, increment_by, cycle, last_value from pg_sequences
        where schemaname = 'public'""",
    "triggers": f"""
        select pg_get_triggerdef(t.oid), tgenabled from pg_trigger t join pg_class c on c.oid = tgrelid
        where not tgisinternal and {OURS}""",
    "routines": f"""
        select oid::regprocedure, pg_get_functiondef(oid), proowner::regrole, prosecdef, {GRANTS.format("proacl")},
          obj_description(oid, 'pg_proc') from pg_proc where pronamespace = 'public'::regnamespace""",
    "policies": "select * from pg_policies where schemaname = 'public'",
    "types": "select typname, typtype from pg_type where typnamespace = 'public'::regnamespace",
    "schemas": f"""
        select nspname, {GRANTS.format("nspacl")} from pg_namespace
        where nspname in ('public', 'supabase_migrations')""",
    "defaults": f"""
        select defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, {GRANTS.format("defaclacl")}
        from pg_default_acl""",
    "extensions": "select extname from pg_extension",
    "history": "select version, name from supabase_migrations.schema_migrations",
    "kept history": f"""
        select a.attname, format_type(atttypid, atttypmod), attnotnull, {GRANTS.format("relacl")}
        from pg_class c join pg_attribute a on a.attrelid = c.oid and attnum > 0
        where c.oid = to_regclass('supabase_migrations.schema_migrations')""",
    "first rows": "select 'forecast_revision', count(*), max(revision) from forecast_revision",
}


def catalogue(address: str) -> dict[str, list[str]]:
    """Every part of the schema, a line each, in an order that does not depend on who made it."""
    with contextlib.closing(psycopg.connect(address, autocommit=True)) as connection:
        return {part: sorted(map(_line, connection.execute(query.encode()))) for part, query in PARTS.items()}


def _line(row: tuple[Any, ...]) -> str:
    return repr(row)
