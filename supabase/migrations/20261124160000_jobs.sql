-- Jobs: the queue is the one truth about long work. The engine's transitions are in tipoff/storage/transitions.py.

create table public.job_queue (
  id uuid primary key default gen_random_uuid(),
  type text not null check (type ~ '^[a-z][a-z0-9_]*$'),
  status text not null default 'pending' check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  priority smallint not null default 0 check (priority between -100 and 100),
  params jsonb not null default '{}' check (jsonb_typeof(params) = 'object'),
  progress real not null default 0 check (progress between 0 and 100),
  message text not null default '',
  result jsonb,
  error jsonb check (jsonb_typeof(error) = 'object' and error ?& array['kind', 'message', 'where']),
  attempt integer not null default 0 check (attempt >= 0),
  max_attempts integer not null default 3 check (max_attempts between 1 and 1000),
  token bigint not null default 0 check (token >= 0),
  run_after timestamptz not null default clock_timestamp(),
  rank double precision not null,
  worker text,
  lease_until timestamptz,
  cancel_requested_at timestamptz,
  progress_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz,
  requested_by text not null default '',
  parent uuid references public.job_queue (id) on delete set null,
  dedupe_key text,
  check (attempt <= max_attempts),
  constraint running_is_held check ((status = 'running') = (worker is not null) and (worker is null) = (lease_until is null)),
  constraint running_has_begun check (status <> 'running' or (attempt >= 1 and token >= 1 and started_at is not null)),
  constraint pending_is_open check (status <> 'pending' or (cancel_requested_at is null and started_at is null and result is null)),
  constraint final_has_ended check ((status in ('completed', 'failed', 'cancelled')) = (finished_at is not null)),
  constraint completed_has_result check ((status = 'completed') = (result is not null)),
  constraint completed_is_whole check (status <> 'completed' or (progress = 100 and error is null)),
  constraint failed_says_why check (status <> 'failed' or error is not null),
  constraint cancelled_was_asked check (status <> 'cancelled' or cancel_requested_at is not null)
) with (fillfactor = 70);
comment on table public.job_queue is 'Every long operation, and what is true of it now; token fences off attempts that lost their lease.';
comment on column public.job_queue.rank is 'run_after in seconds less a minute a point of priority: who is next; so nobody waits for ever.';
-- Nothing that a heartbeat writes is indexed, so that heartbeats stay heap-only updates.
create index job_queue_next on public.job_queue (rank, id) where status = 'pending';
create index job_queue_running on public.job_queue (id) where status = 'running';
create index job_queue_recent on public.job_queue (created_at desc, id);
create index job_queue_final on public.job_queue (finished_at) where finished_at is not null;
create index job_queue_parent on public.job_queue (parent) where parent is not null;
create unique index job_queue_one_live on public.job_queue (dedupe_key) where status in ('pending', 'running');

create table public.pipeline_jobs (
  job_id uuid not null references public.job_queue (id) on delete cascade,
  step text not null check (step <> ''),
  position smallint not null check (position >= 0),
  status text not null default 'pending' check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  progress real not null default 0 check (progress between 0 and 100),
  rows_in bigint check (rows_in >= 0),
  rows_out bigint check (rows_out >= 0),
  detail jsonb not null default '{}',
  error jsonb,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (job_id, step),
  unique (job_id, position),
  check (status not in ('running', 'completed', 'failed') or started_at is not null),
  check ((status in ('completed', 'failed', 'cancelled')) = (finished_at is not null)),
  check ((status = 'failed') = (error is not null)),
  check (status <> 'completed' or progress = 100)
) with (fillfactor = 80);
comment on table public.pipeline_jobs is 'The steps of a pipeline, a row each; a step that was completed is not done again by a later attempt.';

-- A step is never said to run or to wait when its job does not: it waits, failed or was cancelled with it.
create function public.steps_follow_job() returns trigger language plpgsql set search_path = '' as $$
begin
  if new.status = 'pending' then
    update public.pipeline_jobs set status = 'pending', finished_at = null, error = null
      where job_id = new.id and status <> 'completed';
  elsif new.status = 'failed' then
    update public.pipeline_jobs set status = case status when 'running' then 'failed' else 'cancelled' end,
        finished_at = new.finished_at, error = case status when 'running' then new.error end
      where job_id = new.id and status in ('pending', 'running');
  elsif new.status = 'cancelled' then
    update public.pipeline_jobs set status = 'cancelled', finished_at = new.finished_at
      where job_id = new.id and status in ('pending', 'running');
  end if;
  return null;
end $$;
create trigger steps_follow_job after update of status on public.job_queue for each row
  when (old.status is distinct from new.status and new.status in ('pending', 'failed', 'cancelled'))
  execute function public.steps_follow_job();

create table public.job_logs (
  job_id uuid not null references public.job_queue (id) on delete cascade,
  token bigint not null,
  number integer not null check (number >= 0),
  attempt integer not null,
  at timestamptz not null default clock_timestamp(),
  line text not null check (length(line) <= 2000),
  primary key (job_id, token, number)
);
comment on table public.job_logs is 'What a job''s process wrote, a bounded number of lines an attempt.';

create table public.job_schedules (
  name text primary key check (name <> ''),
  type text not null check (type ~ '^[a-z][a-z0-9_]*$'),
  params jsonb not null default '{}' check (jsonb_typeof(params) = 'object'),
  cron text not null check (cron <> ''),
  enabled boolean not null default true,
  priority smallint not null default 0 check (priority between -100 and 100),
  next_at timestamptz not null,
  last_at timestamptz,
  last_outcome text not null default '',
  last_job uuid references public.job_queue (id) on delete set null,
  edited_at timestamptz
);
comment on table public.job_schedules is 'What is enqueued by itself and when (cron, UTC); edit it with tipoff jobs schedule.';
create index job_schedules_last_job on public.job_schedules (last_job) where last_job is not null;

create table public.schedule_ticks (
  schedule text not null references public.job_schedules (name) on delete cascade,
  tick timestamptz not null,
  outcome text not null check (outcome in ('enqueued', 'skipped')),
  reason text not null default '',
  missed integer not null default 0 check (missed >= 0),
  job_id uuid references public.job_queue (id) on delete set null,
  fired_at timestamptz not null default clock_timestamp(),
  worker text not null,
  primary key (schedule, tick)
);
comment on table public.schedule_ticks is 'Every tick that fired or was skipped, and how many before it were missed while nobody worked.';
create index schedule_ticks_job on public.schedule_ticks (job_id) where job_id is not null;
create index schedule_ticks_fired on public.schedule_ticks (fired_at);

create table public.outbox (
  id bigint generated always as identity primary key,
  kind text not null check (kind <> ''),
  payload jsonb not null check (jsonb_typeof(payload) = 'object'),
  created_at timestamptz not null default clock_timestamp(),
  attempts integer not null default 0 check (attempts >= 0),
  next_at timestamptz not null default clock_timestamp(),
  delivered_at timestamptz,
  given_up_at timestamptz,
  error text not null default '',
  check (delivered_at is null or given_up_at is null)
);
comment on table public.outbox is 'Messages to the outside, written in the transaction that caused them and delivered by a job.';
create index outbox_waiting on public.outbox (next_at) where delivered_at is null and given_up_at is null;

create view public.job_statistics with (security_invoker = true) as
with recent as (
  select type, status, extract(epoch from finished_at - started_at) as seconds
  from public.job_queue where finished_at > now() - interval '24 hours'
)
select t.type,
  count(*) filter (where q.status = 'pending') as pending,
  count(*) filter (where q.status = 'running') as running,
  count(*) filter (where q.status = 'completed') as completed,
  count(*) filter (where q.status = 'failed') as failed,
  count(*) filter (where q.status = 'cancelled') as cancelled,
  max(r.ended) as ended_24h, max(r.success_rate) as success_rate_24h,
  max(r.p50) as seconds_p50_24h, max(r.p95) as seconds_p95_24h
from (select distinct type from public.job_queue) t
join public.job_queue q using (type)
left join (
  select type, count(*) as ended,
    (count(*) filter (where status = 'completed'))::double precision
      / nullif(count(*) filter (where status in ('completed', 'failed')), 0) as success_rate,
    percentile_cont(0.5) within group (order by seconds) filter (where status = 'completed') as p50,
    percentile_cont(0.95) within group (order by seconds) filter (where status = 'completed') as p95
  from recent group by type
) r using (type)
group by t.type;
comment on view public.job_statistics is 'Jobs by type and status; success rate and duration (seconds) of those that ended in the last 24 hours.';

do $$
declare t text;
begin
  foreach t in array array['job_queue', 'pipeline_jobs', 'job_logs', 'job_schedules', 'schedule_ticks', 'outbox'] loop
    call public.open_table(t, 'select, insert, update, delete');
  end loop;
  if exists (select 1 from pg_roles where rolname = 'tipoff_app') then
    grant select on public.job_statistics to tipoff_app;
  end if;
  revoke all on function public.steps_follow_job() from public;
  if exists (select 1 from pg_roles where rolname = 'anon') then
    revoke all on function public.steps_follow_job() from anon, authenticated;
    revoke all on public.job_statistics from anon, authenticated;
    grant select on public.job_statistics to service_role;
  end if;
end $$;
