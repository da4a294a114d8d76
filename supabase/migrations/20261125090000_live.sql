-- Live: every change that people follow raises its row's revision and is told to who listens on tipoff_live.
-- Payloads are {"topic": ..., "ids": [...]}; without ids: so many changed that the topic is read anew.

create function public.tell(topic text, ids text[]) returns void language plpgsql set search_path = '' as $$
declare
  payload text;
begin
  if cardinality(ids) = 0 then
    return;
  end if;
  payload := json_build_object('topic', topic, 'ids', ids)::text;
  if cardinality(ids) > 100 or octet_length(payload) > 7000 then
    payload := json_build_object('topic', topic)::text;
  end if;
  perform pg_notify('tipoff_live', payload);
end $$;
comment on function public.tell is 'Tell who listens which rows changed, once the transaction commits (a payload holds 8000 bytes at most).';

-- Jobs and their steps -----------------------------------------------------------------------------------------

alter table public.job_queue add column revision bigint not null default 1;
comment on column public.job_queue.revision is 'Grows with every change that people see; not with a mere heartbeat.';
create sequence public.step_revisions;
alter table public.pipeline_jobs add column revision bigint not null default nextval('public.step_revisions');
comment on column public.pipeline_jobs.revision is 'Grows with every change, also where a step is written down anew.';

create function public.revised() returns trigger language plpgsql set search_path = '' as $$
begin
  new.revision := old.revision + 1;
  return new;
end $$;
create trigger job_revised before update on public.job_queue for each row when (
  (old.status, old.progress, old.message, old.attempt, old.cancel_requested_at, old.run_after, old.worker,
    old.priority, old.max_attempts, old.result, old.error)
  is distinct from
  (new.status, new.progress, new.message, new.attempt, new.cancel_requested_at, new.run_after, new.worker,
    new.priority, new.max_attempts, new.result, new.error)
) execute function public.revised();

create function public.step_revised() returns trigger language plpgsql set search_path = '' as $$
begin
  new.revision := nextval('public.step_revisions');
  return new;
end $$;
create trigger step_revised before update on public.pipeline_jobs for each row execute function public.step_revised();

create function public.jobs_changed() returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    perform public.tell('jobs', array(select id::text from new_rows limit 101));
  elsif tg_op = 'DELETE' then
    perform public.tell('jobs', array(select id::text from old_rows limit 101));
  else
    perform public.tell('jobs', array(
      select n.id::text from new_rows n join old_rows o using (id) where n.revision <> o.revision limit 101));
  end if;
  return null;
end $$;
create trigger jobs_added after insert on public.job_queue referencing new table as new_rows
  for each statement execute function public.jobs_changed();
create trigger jobs_changed after update on public.job_queue referencing old table as old_rows new table as new_rows
  for each statement execute function public.jobs_changed();
create trigger jobs_deleted after delete on public.job_queue referencing old table as old_rows
  for each statement execute function public.jobs_changed();

create function public.steps_changed() returns trigger language plpgsql set search_path = '' as $$
begin
  perform public.tell('jobs', array(select distinct job_id::text from new_rows limit 101));
  return null;
end $$;
create trigger steps_added after insert on public.pipeline_jobs referencing new table as new_rows
  for each statement execute function public.steps_changed();
create trigger steps_changed after update on public.pipeline_jobs referencing new table as new_rows
  for each statement execute function public.steps_changed();

-- Matches and fixtures -----------------------------------------------------------------------------------------

alter table public.upcoming_matches add column revision integer not null default 1 check (revision >= 1);
create trigger fixture_revised before update on public.upcoming_matches for each row when (
  (old.start_at, old.player_a, old.player_b, old.team_a, old.team_b, old.stream, old.status)
  is distinct from
  (new.start_at, new.player_a, new.player_b, new.team_a, new.team_b, new.stream, new.status)
) execute function public.revised();

create function public.matches_changed() returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    perform public.tell('matches', array(select external_id from new_rows limit 101));
  else
    perform public.tell('matches', array(
      select n.external_id from new_rows n join old_rows o using (external_id)
      where n.revision <> o.revision limit 101));
  end if;
  return null;
end $$;
create trigger matches_added after insert on public.matches referencing new table as new_rows
  for each statement execute function public.matches_changed();
create trigger matches_changed after update on public.matches referencing old table as old_rows new table as new_rows
  for each statement execute function public.matches_changed();
create trigger fixtures_added after insert on public.upcoming_matches referencing new table as new_rows
  for each statement execute function public.matches_changed();
create trigger fixtures_changed after update on public.upcoming_matches
  referencing old table as old_rows new table as new_rows
  for each statement execute function public.matches_changed();

-- Forecasts ----------------------------------------------------------------------------------------------------

create table public.forecast_revision (
  only_row boolean primary key default true check (only_row),
  revision bigint not null default 1
);
comment on table public.forecast_revision is 'Grows whenever what is forecast changed: the filter learned, or another model forecasts.';
insert into public.forecast_revision default values;

create function public.forecasts_changed() returns trigger language plpgsql set search_path = '' as $$
begin
  update public.forecast_revision set revision = revision + 1;
  perform pg_notify('tipoff_live', '{"topic": "predictions"}');
  return null;
end $$;
-- At the end of the transaction, so that nobody waits for this row while holding it against somebody else.
create constraint trigger filter_learned after insert or update on public.filter_states
  deferrable initially deferred for each row execute function public.forecasts_changed();
create constraint trigger champion_changed after update of active on public.model_registry
  deferrable initially deferred for each row execute function public.forecasts_changed();

create function public.models_changed() returns trigger language plpgsql set search_path = '' as $$
begin
  perform pg_notify('tipoff_live', '{"topic": "models"}');
  return null;
end $$;
create trigger models_changed after insert or update or delete on public.model_registry
  for each statement execute function public.models_changed();

create function public.ledger_grew() returns trigger language plpgsql set search_path = '' as $$
begin
  perform public.tell('predictions', array(
    select distinct external_id from new_rows where external_id is not null limit 101));
  if exists (select 1 from new_rows where external_id is null) then
    perform pg_notify('tipoff_live', '{"topic": "predictions", "ids": []}');
  end if;
  return null;
end $$;
create trigger ledger_grew after insert on public.ledger referencing new table as new_rows
  for each statement execute function public.ledger_grew();

-- The track record ---------------------------------------------------------------------------------------------

create table public.track_record (
  period text primary key check (period in ('day', 'week', 'month')),
  made_at timestamptz not null,
  ledger_seq bigint not null check (ledger_seq >= 1),
  last_arrival_id bigint not null check (last_arrival_id >= 0),
  document jsonb not null check (jsonb_typeof(document) = 'object')
);
comment on table public.track_record is 'What the sealed forecasts scored, as a job worked it out from the ledger and the results up to these rows.';
create function public.record_changed() returns trigger language plpgsql set search_path = '' as $$
begin
  perform pg_notify('tipoff_live', '{"topic": "record"}');
  return null;
end $$;
create trigger record_changed after insert or update on public.track_record
  for each statement execute function public.record_changed();

do $$
declare f text;
begin
  call public.open_table('track_record', 'select, insert, update, delete');
  call public.open_table('forecast_revision', 'select, update');
  foreach f in array array['tell(text, text[])', 'revised()', 'step_revised()', 'jobs_changed()',
    'steps_changed()', 'matches_changed()', 'forecasts_changed()', 'models_changed()',
    'ledger_grew()', 'record_changed()', 'refuse_change()', 'ledger_time(timestamptz)'] loop
    execute format('revoke all on function public.%s from public', f);
  end loop;
  if exists (select 1 from pg_roles where rolname = 'tipoff_app') then
    grant execute on function public.tell(text, text[]), public.ledger_time(timestamptz) to tipoff_app;
    grant usage on sequence public.step_revisions to tipoff_app;
  end if;
  if exists (select 1 from pg_roles where rolname = 'anon') then
    revoke all on all sequences in schema public from anon, authenticated;
    revoke all on all routines in schema public from anon, authenticated;
    grant execute on function public.tell(text, text[]), public.ledger_time(timestamptz) to service_role;
    grant usage on sequence public.step_revisions to service_role;
  end if;
end $$;
