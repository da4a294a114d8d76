-- The API: keys of those who may write, answers that are repeated, and an index for each question.

create table public.api_keys (
  id uuid primary key default gen_random_uuid(),
  name text not null check (name <> '' and length(name) <= 200),
  scope text not null check (scope in ('read', 'operate', 'admin')),
  sha256 text not null unique check (sha256 ~ '^[0-9a-f]{64}$'),
  hint text not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);
comment on table public.api_keys is 'Who may use the API for what: the SHA-256 of each key, never the key.';
create index api_keys_recent on public.api_keys (created_at desc, id);

create table public.idempotency_keys (
  principal text not null,
  key text not null check (length(key) between 1 and 255),
  request_sha256 text not null check (request_sha256 ~ '^[0-9a-f]{64}$'),
  status smallint not null check (status between 200 and 299),
  headers jsonb not null default '{}',
  body bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  primary key (principal, key)
);
comment on table public.idempotency_keys is 'Answers to requests that carried an Idempotency-Key, repeated for a day.';
create index idempotency_keys_expired on public.idempotency_keys (expires_at);

create index job_queue_by_status on public.job_queue (status, created_at desc, id);
create index job_queue_by_type on public.job_queue (type, created_at desc, id);
create index job_queue_counts on public.job_queue (type, status);
create index job_queue_history on public.job_queue (type, finished_at desc) include (started_at) where status = 'completed';

create index matches_by_start on public.matches (start_at, external_id);
create index matches_not_final on public.matches (status, start_at, external_id) where status <> 'final';
create index matches_of_player_a on public.matches (player_a, start_at, external_id);
create index matches_of_player_b on public.matches (player_b, start_at, external_id);
create index matches_of_team_a on public.matches (team_a, start_at, external_id);
create index matches_of_team_b on public.matches (team_b, start_at, external_id);
drop index public.upcoming_matches_next;
create index upcoming_matches_next on public.upcoming_matches (status, start_at, external_id);
create index upcoming_matches_of_player_a on public.upcoming_matches (player_a, start_at, external_id);
create index upcoming_matches_of_player_b on public.upcoming_matches (player_b, start_at, external_id);
create index upcoming_matches_of_team_a on public.upcoming_matches (team_a, start_at, external_id);
create index upcoming_matches_of_team_b on public.upcoming_matches (team_b, start_at, external_id);
create index ledger_of_kind on public.ledger (kind, seq);
create index model_performance_by_day on public.model_performance (day desc);
create index matches_of_pair on public.matches (player_a, player_b, start_at) where status = 'final';
create index player_stats_board on public.player_stats ((coalesce(strength, '-infinity'::float8)) desc, player);
create index raw_payloads_newest on public.raw_payloads (last_fetched_at desc);

-- The same columns; counted from an index that holds nothing else.
create or replace view public.job_statistics with (security_invoker = true) as
with counted as (
  select type, status, count(*) as jobs from public.job_queue group by type, status
), recent as (
  select type, count(*) as ended,
    (count(*) filter (where status = 'completed'))::double precision
      / nullif(count(*) filter (where status in ('completed', 'failed')), 0) as success_rate,
    percentile_cont(0.5) within group (order by seconds) filter (where status = 'completed') as p50,
    percentile_cont(0.95) within group (order by seconds) filter (where status = 'completed') as p95
  from (
    select type, status, extract(epoch from finished_at - started_at) as seconds
    from public.job_queue where finished_at > now() - interval '24 hours'
  ) as ended group by type
)
select c.type,
  coalesce(sum(c.jobs) filter (where c.status = 'pending'), 0)::bigint as pending,
  coalesce(sum(c.jobs) filter (where c.status = 'running'), 0)::bigint as running,
  coalesce(sum(c.jobs) filter (where c.status = 'completed'), 0)::bigint as completed,
  coalesce(sum(c.jobs) filter (where c.status = 'failed'), 0)::bigint as failed,
  coalesce(sum(c.jobs) filter (where c.status = 'cancelled'), 0)::bigint as cancelled,
  max(r.ended) as ended_24h, max(r.success_rate) as success_rate_24h,
  max(r.p50) as seconds_p50_24h, max(r.p95) as seconds_p95_24h
from counted c left join recent r using (type)
group by c.type;

do $$
declare t text;
begin
  foreach t in array array['api_keys', 'idempotency_keys'] loop
    call public.open_table(t, 'select, insert, update, delete');
  end loop;
end $$;
