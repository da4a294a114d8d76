-- Health, alerts and their delivery. What is checked and when an alert opens is in tipoff/health, delivery in tipoff/delivery.

create table public.system_health (
  id bigint generated always as identity primary key,
  checked_at timestamptz not null,
  overall_status text not null check (overall_status in ('healthy', 'warning', 'error')),
  duration_ms double precision not null check (duration_ms >= 0),
  checker text not null check (checker <> ''),
  statuses jsonb not null default '{}' check (jsonb_typeof(statuses) = 'object'),
  metrics jsonb not null default '{}' check (jsonb_typeof(metrics) = 'object'),
  report jsonb not null check (jsonb_typeof(report) = 'object')
);
comment on table public.system_health is 'Every report of the periodic check; of many processes one makes it.';
create index system_health_newest on public.system_health (checked_at desc);

create table public.health_findings (
  name text primary key check (name ~ '^[a-z][a-z0-9_]*$'),
  value jsonb not null check (jsonb_typeof(value) = 'object'),
  as_of timestamptz not null
);
comment on table public.health_findings is 'What jobs have measured and checks judge: the ledger''s verification, the watch for drift.';

create table public.job_workers (
  name text primary key check (name <> ''),
  host text not null,
  pid integer not null,
  version text not null,
  types text[] not null,
  concurrency integer not null check (concurrency >= 1),
  running integer not null default 0 check (running >= 0),
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
comment on table public.job_workers is 'Workers that said they live; one that stops takes its row away.';

create table public.health_processes (
  name text primary key check (name <> ''),
  host text not null,
  figures jsonb not null check (jsonb_typeof(figures) = 'object'),
  seen_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
comment on table public.health_processes is 'How full the machine of each process is and how many requests wait in it: whoever looks, looks at all.';

create table public.alerts (
  id bigint generated always as identity primary key,
  rule text not null check (rule ~ '^[a-z][a-z0-9_]*$'),
  subject text not null default '',
  severity text not null check (severity in ('warning', 'error')),
  state text not null check (state in ('pending', 'open', 'acknowledged', 'resolved')),
  message text not null,
  remedy text not null,
  since timestamptz not null,
  opened_at timestamptz,
  seen_at timestamptz not null,
  clear_since timestamptz,
  lower_since timestamptz,
  told_at timestamptz,
  told integer not null default 0 check (told >= 0),
  told_severity text check (told_severity in ('warning', 'error')),
  acknowledged_at timestamptz,
  acknowledged_by text,
  resolved_at timestamptz,
  check ((state = 'pending') = (opened_at is null)),
  check ((state = 'resolved') = (resolved_at is not null)),
  check (state <> 'acknowledged' or acknowledged_at is not null)
);
comment on table public.alerts is 'What is or was wrong; pending ones are not yet believed. At most one of a rule and subject is not resolved.';
create unique index alerts_one_live on public.alerts (rule, subject) where state <> 'resolved';
create index alerts_resolved on public.alerts (resolved_at desc) where resolved_at is not null;
create index alerts_live on public.alerts (id) where state <> 'resolved';
create index alerts_past on public.alerts (rule, subject, resolved_at) where resolved_at is not null;

create table public.webhooks (
  id uuid primary key default gen_random_uuid(),
  name text not null unique check (name ~ '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$'),
  url text not null check (url ~ '^https?://'),
  secret text not null check (length(secret) >= 16),
  enabled boolean not null default true,
  created_at timestamptz not null default clock_timestamp()
);
comment on table public.webhooks is 'Who is told of alerts over HTTP; the secret signs what is sent and is never shown again.';

alter table public.outbox
  add column channel text not null default '',
  add column taken_at timestamptz,
  add column holds boolean not null default true;
comment on column public.outbox.channel is 'Who receives it; while a channel is down its messages wait and others go on.';
comment on column public.outbox.taken_at is 'When the attempt began of which there is no word yet.';
comment on column public.outbox.holds is 'Whether later messages of its channel wait for it; one that has failed often lets them pass.';
create index outbox_channel on public.outbox (channel, id) where delivered_at is null and given_up_at is null;
create index outbox_ended on public.outbox (coalesce(delivered_at, given_up_at)) where coalesce(delivered_at, given_up_at) is not null;

create table public.deliveries (
  id bigint generated always as identity primary key,
  message_id bigint not null references public.outbox (id) on delete cascade,
  channel text not null,
  attempt integer not null check (attempt >= 1),
  at timestamptz not null,
  ok boolean not null,
  status integer,
  duration_ms double precision not null check (duration_ms >= 0),
  error text not null default ''
);
comment on table public.deliveries is 'Each try to deliver a message, and what came of it.';
create index deliveries_of on public.deliveries (message_id);
create index deliveries_newest on public.deliveries (at desc, id desc);

create index job_queue_failed on public.job_queue (type, finished_at desc) where status = 'failed';
create index quarantine_seen on public.quarantine (last_seen_at desc);

-- The request that asked for a job, so that it can be followed from log to log.
alter table public.job_queue add column request_id text check (length(request_id) <= 128);

create index quarantine_recent on public.quarantine (last_seen_at desc);

do $$
declare t text;
begin
  foreach t in array array['system_health', 'health_findings', 'job_workers', 'health_processes', 'alerts', 'webhooks', 'deliveries'] loop
    call public.open_table(t, 'select, insert, update, delete');
  end loop;
  if exists (select 1 from pg_roles where rolname = 'anon') then
    revoke all on all sequences in schema public from anon, authenticated;
  end if;
end $$;
