"""What the database's own statistics say of tables and indexes, and the few things that may be done about it.

Estimates are the database's: rows and widths as of the last ANALYZE, dead rows as counted since the last VACUUM.
Since when uses are counted is said beside them: an index that only a monthly question needs looks unused until then.
Asked as the owner of the tables: nobody else sees the widths of columns that row level security guards.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

Owner = psycopg.Connection[Any]
WORTH = 1 << 20
"""bytes below which nothing is called bloated"""
FULL = 0.5
"""a sequence that has given out more than that share of its numbers is near its end"""

SIZES = """
    select c.relname as table, pg_total_relation_size(c.oid) as bytes, pg_indexes_size(c.oid) as index_bytes,
      greatest(c.reltuples, 0)::bigint as rows
    from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace order by bytes desc, 1
"""
UNUSED = """
    select s.indexrelname as index, s.relname as table, pg_relation_size(s.indexrelid) as bytes
    from pg_stat_user_indexes s join pg_index i using (indexrelid)
    where s.schemaname = 'public' and s.idx_scan = 0 and not i.indisunique and i.indisvalid order by bytes desc, 1
"""
DUPLICATES = """
    select i.indrelid::regclass::text as table,
      array_agg(i.indexrelid::regclass::text order by i.indexrelid) as indexes,
      (sum(pg_relation_size(i.indexrelid)) - min(pg_relation_size(i.indexrelid)))::bigint as bytes
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where c.relnamespace = 'public'::regnamespace and i.indisvalid
    group by i.indrelid, c.relam, i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text,
      coalesce(pg_get_expr(i.indexprs, i.indrelid), ''), coalesce(pg_get_expr(i.indpred, i.indrelid), '')
    having count(*) > 1 order by bytes desc, 1
"""
INVALID = """
    select i.indexrelid::regclass::text as index, i.indrelid::regclass::text as table
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where c.relnamespace = 'public'::regnamespace and not i.indisvalid order by 1
"""
BLOATED_TABLES = """
    select relname as table, bytes, wanted, bytes - wanted as wasted from (
      select c.relname, pg_relation_size(c.oid) as bytes, (block * ceil(greatest(c.reltuples, 0) * (28 + w.width)
        / ((block - 24) * coalesce((select option_value::int from pg_options_to_table(c.reloptions)
          where option_name = 'fillfactor'), 100) / 100.0)))::bigint as wanted
      from pg_class c
      cross join (select current_setting('block_size')::int as block) b
      join lateral (select sum(avg_width * (1 - null_frac)) as width from pg_stats s
        where s.schemaname = 'public' and s.tablename = c.relname) w on w.width is not null
      where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
    ) t where bytes > wanted * 2 and bytes - wanted > %(worth)s order by wasted desc, 1
"""
BLOATED_INDEXES = """
    select relname as index, bytes, wanted, bytes - wanted as wasted from (
      select c.relname, pg_relation_size(c.oid) as bytes,
        (block * ceil(greatest(c.reltuples, 0) * (16 + w.width) / ((block - 24) * 0.7)))::bigint as wanted
      from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
      cross join (select current_setting('block_size')::int as block) b
      join lateral (
        select sum(s.avg_width) as width, count(s.avg_width) = count(*) as known
        from pg_attribute a left join pg_attribute o on o.attrelid = i.indrelid and o.attnum = i.indkey[a.attnum - 1]
        left join pg_stats s on s.schemaname = 'public'
          and (s.tablename, s.attname) in ((t.relname, o.attname), (c.relname, a.attname))
        where a.attrelid = c.oid
      ) w on w.known
      where i.indisvalid and c.relnamespace = 'public'::regnamespace
    ) x where bytes > wanted * 2 and bytes - wanted > %(worth)s order by wasted desc, 1
"""
LATE = """
    select s.relname as table, s.n_dead_tup as dead, threshold::bigint, s.last_autovacuum, s.last_vacuum,
      round(100.0 * age(c.relfrozenxid) / current_setting('autovacuum_freeze_max_age')::bigint, 1)::float8
        as frozen_percent
    from pg_stat_user_tables s join pg_class c on c.oid = s.relid
    cross join lateral (select current_setting('autovacuum_vacuum_threshold')::float8
      + current_setting('autovacuum_vacuum_scale_factor')::float8 * greatest(c.reltuples, 0) as threshold) t
    where s.schemaname = 'public'
      and (s.n_dead_tup > 2 * threshold or age(c.relfrozenxid) > current_setting('autovacuum_freeze_max_age')::bigint)
    order by s.n_dead_tup desc, 1
"""
SEQUENCES = """
    select sequencename::text as sequence, last_value as last, max_value as most,
      round(100.0 * last_value / max_value, 1)::float8 as percent
    from pg_sequences where schemaname = 'public' and last_value > %(full)s * max_value order by percent desc, 1
"""
FINDINGS = {
    "tables": SIZES, "unused_indexes": UNUSED, "duplicate_indexes": DUPLICATES, "invalid_indexes": INVALID,
    "bloated_tables": BLOATED_TABLES, "bloated_indexes": BLOATED_INDEXES, "late_vacuums": LATE,
    "full_sequences": SEQUENCES,
}  # fmt: skip
SINCE = "select stats_reset from pg_stat_database where datname = current_database()"


def report(connection: Owner) -> dict[str, list[dict[str, Any]]]:
    """Every finding by name, largest first; nothing is changed."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return {
            name: cursor.execute(query.encode(), {"worth": WORTH, "full": FULL}).fetchall()
            for name, query in FINDINGS.items()
        }


def counted_since(connection: Owner) -> str | None:
    """When the statistics of use were last emptied (ISO, UTC); None: never since the database was made."""
    row = connection.execute(SINCE).fetchone()
    return None if row is None or row[0] is None else str(row[0].isoformat())


def limit(connection: Owner, seconds: float) -> None:
    """No statement takes longer, none waits longer than five seconds for a lock."""
    connection.execute(
        "select set_config('statement_timeout', %s, false), set_config('lock_timeout', '5s', false)",
        (f"{max(1, int(1000 * seconds))}ms",),
    )


def vacuum(connection: Owner, table: str) -> None:
    """Vacuum and analyze one table; the connection commits by itself."""
    connection.execute(sql.SQL("vacuum (analyze) public.{}").format(sql.Identifier(table)))


def rebuild(connection: Owner, index: str) -> None:
    """Build an index anew beside the old one, then put it in its place; nobody who writes waits."""
    connection.execute(sql.SQL("reindex index concurrently public.{}").format(sql.Identifier(index)))
