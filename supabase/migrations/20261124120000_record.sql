-- Models that earn their place, and a record nobody can rewrite.

-- The application's role owns nothing: what it may do with a table is what is granted here. Where the
-- deployment's only role may not create roles, the owner stays the application's role (docs/decisions/0007).
do $$
begin
  if not exists (select 1 from pg_roles where rolname = 'tipoff_app')
    and exists (select 1 from pg_roles where rolname = current_user and (rolsuper or rolcreaterole)) then
    begin
      create role tipoff_app login;
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
end $$;

create procedure public.open_table(name text, privileges text) language plpgsql set search_path = '' as $$
begin
  execute format('alter table public.%I enable row level security', name);
  if exists (select 1 from pg_roles where rolname = 'anon') then
    execute format('revoke all on public.%I from anon, authenticated', name);
    execute format('grant %s on public.%I to service_role', privileges, name);
  end if;
  if exists (select 1 from pg_roles where rolname = 'tipoff_app') then
    execute format('grant %s on public.%I to tipoff_app', privileges, name);
    execute format('create policy application on public.%I to tipoff_app using (true) with check (true)', name);
  end if;
end $$;
comment on procedure public.open_table is 'Row level security, nothing for the public, these privileges for the application.';

-- Models ---------------------------------------------------------------------------------------------------

alter table public.model_registry
  add column version integer generated always as identity unique,
  add column verdict text not null default 'waiting' check (verdict in ('waiting', 'passed', 'refused')),
  add column reason text not null default '',
  add column gate jsonb,
  add column code_version text not null default '',
  add column size_bytes bigint not null default 0 check (size_bytes >= 0),
  add column activated_at timestamptz,
  add column pruned_at timestamptz;
update public.model_registry set verdict = 'passed', reason = 'forecast before there was a gate' where active;
alter table public.model_registry
  add check (not active or (verdict = 'passed' and pruned_at is null));

alter table public.filter_states
  add column data_sha256 text not null default '' check (data_sha256 = '' or data_sha256 ~ '^[0-9a-f]{64}$');
comment on column public.filter_states.data_sha256 is 'SHA-256 chained over the log of arrivals up to last_arrival_id.';

create table public.model_performance (
  model_sha256 text not null references public.model_registry (sha256),
  day date not null,
  matches integer not null check (matches > 0),
  log_loss double precision not null,
  brier double precision not null,
  accuracy double precision not null check (accuracy between 0 and 1),
  margin_mae double precision not null,
  total_mae double precision not null,
  margin_inside double precision not null check (margin_inside between 0 and 1),
  total_inside double precision not null check (total_inside between 0 and 1),
  updated_at timestamptz not null,
  primary key (model_sha256, day)
);
comment on table public.model_performance is 'What each model''s sealed forecasts scored, a row a day (UTC day of the start, last horizon).';

create table public.feature_importance (
  model_sha256 text not null references public.model_registry (sha256),
  feature_group text not null check (feature_group <> ''),
  matches integer not null check (matches > 0),
  log_loss double precision not null,
  log_loss_low double precision,
  log_loss_high double precision,
  margin_mae double precision not null,
  margin_mae_low double precision,
  margin_mae_high double precision,
  total_mae double precision not null,
  total_mae_low double precision,
  total_mae_high double precision,
  primary key (model_sha256, feature_group)
);
comment on table public.feature_importance is 'How much worse a model is without a group of states: difference with its 95 % interval.';

create view public.model_performance_summary with (security_invoker = true) as
select r.version, r.sha256, r.active, r.verdict, r.created_at, r.activated_at,
  count(p.day) as days, coalesce(sum(p.matches), 0) as matches, max(p.day) as last_day,
  sum(p.matches * p.log_loss) / sum(p.matches) as log_loss,
  sum(p.matches * p.brier) / sum(p.matches) as brier,
  sum(p.matches * p.accuracy) / sum(p.matches) as accuracy,
  sum(p.matches * p.margin_mae) / sum(p.matches) as margin_mae,
  sum(p.matches * p.total_mae) / sum(p.matches) as total_mae,
  (r.document #>> '{measured,models,0,measures,log_loss,mean}')::double precision as promised_log_loss
from public.model_registry r left join public.model_performance p on p.model_sha256 = r.sha256
group by r.sha256;
comment on view public.model_performance_summary is 'Each model: what it promised and what its sealed forecasts scored.';

create table public.player_ratings (
  player text not null references public.players (name),
  at timestamptz not null,
  model_sha256 text not null,
  last_arrival_id bigint not null,
  matches integer not null check (matches >= 0),
  strength double precision not null,
  strength_sd double precision not null check (strength_sd >= 0),
  primary key (player, at, model_sha256)
);
comment on table public.player_ratings is 'History: the strength (points against the mean player) that sealed forecasts used.';

create table public.odds_quotes (
  id bigint generated always as identity primary key,
  external_id text not null check (external_id <> ''),
  bookmaker text not null check (bookmaker <> ''),
  market text not null check (market in ('winner', 'total', 'spread', 'team_total_a', 'team_total_b')),
  line double precision,
  price_over double precision not null check (price_over > 1),
  price_under double precision not null check (price_under > 1),
  quoted_at timestamptz not null,
  unique nulls not distinct (external_id, bookmaker, market, line, quoted_at)
);
comment on table public.odds_quotes is 'Posted decimal prices; over is side A where the market is the winner or the spread.';

-- The ledger -----------------------------------------------------------------------------------------------

create table public.ledger (
  seq bigint primary key check (seq >= 1),
  prev text not null check (prev ~ '^[0-9a-f]{64}$'),
  hash text not null unique check (hash ~ '^[0-9a-f]{64}$'),
  content text not null,
  kind text not null generated always as ((content::jsonb) ->> 'kind') stored,
  external_id text generated always as ((content::jsonb) #>> '{body,external_id}') stored,
  horizon integer generated always as (((content::jsonb) #>> '{body,horizon}')::integer) stored,
  grades bigint generated always as (((content::jsonb) #>> '{body,seal}')::bigint) stored,
  check (kind in ('open', 'seal', 'grade'))
);
comment on table public.ledger is 'Append-only chain: hash = SHA-256(prev, newline, content); content is canonical JSON.';
create index ledger_of_match on public.ledger (external_id, horizon) where kind = 'seal';
create index ledger_grades on public.ledger (grades, seq) where kind = 'grade';

create table public.match_predictions (
  ledger_seq bigint primary key references public.ledger (seq),
  external_id text not null,
  horizon integer not null check (horizon > 0),
  start_at timestamptz not null,
  sealed_at timestamptz not null,
  model_sha256 text not null,
  p_a double precision not null check (p_a between 0 and 1),
  margin_mean double precision not null,
  margin_sd double precision not null check (margin_sd > 0),
  total_mean double precision not null,
  total_sd double precision not null check (total_sd > 0),
  unique (external_id, horizon, start_at)
);
comment on table public.match_predictions is 'Sealed forecasts, a row each; the ledger holds the same and can be verified.';
create index match_predictions_by_start on public.match_predictions (start_at);

create trigger ledger_append_only before update or delete on public.ledger
  for each row execute function public.refuse_change();
create trigger ledger_no_truncate before truncate on public.ledger
  for each statement execute function public.refuse_change();
create trigger match_predictions_append_only before update or delete on public.match_predictions
  for each row execute function public.refuse_change();
create trigger match_predictions_no_truncate before truncate on public.match_predictions
  for each statement execute function public.refuse_change();

create function public.ledger_time(moment timestamptz) returns text language sql stable set search_path = '' as $$
  select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

create function public.ledger_add(at timestamptz, kind text, body text) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  last record;
  row_content text;
  next_seq bigint;
begin
  select l.seq, l.hash into last from public.ledger l order by l.seq desc limit 1;
  next_seq := coalesce(last.seq, 0) + 1;
  row_content := format('{"at":"%s","body":%s,"kind":"%s","seq":%s}', public.ledger_time(at), body, kind, next_seq);
  insert into public.ledger (seq, prev, hash, content) values (next_seq, coalesce(last.hash, repeat('0', 64)),
    encode(sha256(convert_to(coalesce(last.hash, repeat('0', 64)) || E'\n' || row_content, 'UTF8')), 'hex'), row_content);
  return next_seq;
end $$;
comment on function public.ledger_add is 'Append one row; the caller holds the lock and has checked it. Not for the application.';

create function public.ledger_open(clock text, label text, at timestamptz) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(7204021);
  if clock not in ('database', 'replay') then
    raise exception 'a ledger''s clock is database or replay, not %', clock;
  end if;
  if exists (select 1 from public.ledger) then
    return;
  end if;
  perform public.ledger_add(case when clock = 'database' then clock_timestamp() else at end, 'open',
    format('{"clock":%s,"label":%s}', to_json(clock), to_json(label)));
end $$;
comment on function public.ledger_open is 'Write row 1, which says for ever whose clock the ledger goes by.';

create function public.ledger_now(at timestamptz) returns timestamptz
language plpgsql security definer set search_path = '' as $$
declare
  clock text;
  last_at timestamptz;
begin
  select (l.content::jsonb) #>> '{body,clock}' into clock from public.ledger l where l.seq = 1;
  if clock is null then
    raise exception 'the ledger has not been opened' using errcode = 'object_not_in_prerequisite_state';
  end if;
  if clock = 'database' then
    if at is not null then
      raise exception 'this ledger goes by the database''s clock: no time may be given' using errcode = 'invalid_parameter_value';
    end if;
    return clock_timestamp();
  end if;
  select ((l.content::jsonb) ->> 'at')::timestamptz into last_at from public.ledger l order by l.seq desc limit 1;
  if at is null or at < last_at then
    raise exception 'this ledger goes by a replay''s clock: a time not before % must be given', last_at
      using errcode = 'invalid_parameter_value';
  end if;
  return at;
end $$;

create function public.ledger_seal(bodies text[], at timestamptz) returns setof text
language plpgsql security definer set search_path = '' as $$
declare
  moment timestamptz;
  body text;
  b jsonb;
  known timestamptz;
  begins timestamptz;
  new_seq bigint;
begin
  perform pg_advisory_xact_lock(7204021);
  foreach body in array bodies loop
    moment := public.ledger_now(at);
    b := body::jsonb;
    begins := (b ->> 'start')::timestamptz;
    select coalesce(u.start_at, m.start_at) into known
      from (select b ->> 'external_id' as id) i
      left join public.upcoming_matches u on u.external_id = i.id and u.status <> 'withdrawn'
      left join public.matches m on m.external_id = i.id;
    if known is null then
      return next 'refused: no such fixture';
    elsif known <> begins then
      return next 'refused: the fixture has moved to ' || public.ledger_time(known);
    elsif moment >= begins then
      return next 'refused: the match began at ' || public.ledger_time(begins) || ' and it is ' || public.ledger_time(moment);
    elsif moment < begins - make_interval(mins => (b ->> 'horizon')::integer) then
      return next 'refused: too early for its horizon';
    elsif exists (select 1 from public.match_predictions p where p.external_id = b ->> 'external_id'
        and p.horizon = (b ->> 'horizon')::integer and p.start_at = begins) then
      return next 'sealed before';
    else
      new_seq := public.ledger_add(moment, 'seal', body);
      insert into public.match_predictions (ledger_seq, external_id, horizon, start_at, sealed_at, model_sha256,
        p_a, margin_mean, margin_sd, total_mean, total_sd)
      values (new_seq, b ->> 'external_id', (b ->> 'horizon')::integer, begins, moment, b ->> 'model',
        (b #>> '{forecast,p_a}')::double precision, (b #>> '{forecast,margin_mean}')::double precision,
        (b #>> '{forecast,margin_sd}')::double precision, (b #>> '{forecast,total_mean}')::double precision,
        (b #>> '{forecast,total_sd}')::double precision);
      return next new_seq::text;
    end if;
  end loop;
end $$;
comment on function public.ledger_seal is 'Seal forecasts whose matches have not begun; answers a row number or why not, in order.';

create function public.ledger_grade(bodies text[], at timestamptz) returns setof text
language plpgsql security definer set search_path = '' as $$
declare
  moment timestamptz;
  body text;
  b jsonb;
  latest text;
begin
  perform pg_advisory_xact_lock(7204021);
  foreach body in array bodies loop
    moment := public.ledger_now(at);
    b := body::jsonb;
    select (g.content::jsonb) ->> 'body' into latest from public.ledger g
      where g.kind = 'grade' and g.grades = (b ->> 'seal')::bigint order by g.seq desc limit 1;
    if not exists (select 1 from public.ledger s where s.seq = (b ->> 'seal')::bigint and s.kind = 'seal'
        and s.external_id = b ->> 'external_id') then
      return next 'refused: no such sealed forecast';
    elsif not exists (select 1 from public.matches m where m.external_id = b ->> 'external_id'
        and (m.status, public.ledger_time(m.start_at), m.score_a::text, m.score_b::text) is not distinct from
          (b #>> '{result,status}', b #>> '{result,start}', b #>> '{result,score_a}', b #>> '{result,score_b}')) then
      return next 'refused: not the result believed now';
    elsif latest::jsonb = b then
      return next 'graded before';
    else
      return next public.ledger_add(moment, 'grade', body)::text;
    end if;
  end loop;
end $$;
comment on function public.ledger_grade is
  'Grade sealed forecasts by the result believed now; the same grade again is none, another one is a new row.';

revoke all on procedure public.open_table(text, text) from public;
do $$
declare f text; t text;
begin
  foreach f in array array['ledger_add(timestamptz, text, text)', 'ledger_open(text, text, timestamptz)',
    'ledger_now(timestamptz)', 'ledger_seal(text[], timestamptz)', 'ledger_grade(text[], timestamptz)'] loop
    execute format('revoke all on function public.%s from public', f);
    if exists (select 1 from pg_roles where rolname = 'anon') then
      execute format('revoke all on function public.%s from anon, authenticated', f);
    end if;
  end loop;
  call public.open_table('ledger', 'select');
  call public.open_table('match_predictions', 'select');
  foreach t in array array['model_performance', 'feature_importance', 'odds_quotes', 'player_ratings'] loop
    call public.open_table(t, 'select, insert, update, delete');
  end loop;
  if exists (select 1 from pg_roles where rolname = 'tipoff_app') then
    grant usage on schema public to tipoff_app;
    grant execute on function public.ledger_open(text, text, timestamptz), public.ledger_now(timestamptz),
      public.ledger_seal(text[], timestamptz), public.ledger_grade(text[], timestamptz) to tipoff_app;
    foreach t in array array['raw_payloads', 'quarantine', 'players', 'matches', 'upcoming_matches', 'player_stats',
      'model_registry', 'filter_states'] loop
      execute format('grant select, insert, update, delete on public.%I to tipoff_app', t);
      execute format('create policy application on public.%I to tipoff_app using (true) with check (true)', t);
    end loop;
    grant select, insert on public.match_arrivals to tipoff_app;
    create policy application on public.match_arrivals to tipoff_app using (true) with check (true);
    grant select on public.model_performance_summary to tipoff_app;
    if to_regclass('supabase_migrations.schema_migrations') is not null then
      grant usage on schema supabase_migrations to tipoff_app;
      grant select on supabase_migrations.schema_migrations to tipoff_app;
    end if;
  end if;
  if exists (select 1 from pg_roles where rolname = 'anon') then
    revoke all on public.model_performance_summary from anon, authenticated;
    grant select on public.model_performance_summary to service_role;
    grant execute on function public.ledger_open(text, text, timestamptz), public.ledger_now(timestamptz),
      public.ledger_seal(text[], timestamptz), public.ledger_grade(text[], timestamptz) to service_role;
  end if;
end $$;
