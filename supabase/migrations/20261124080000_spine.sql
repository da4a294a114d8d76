-- The spine: raw payloads, what was read from them, what models know.

create table public.raw_payloads (
  id bigint generated always as identity primary key,
  source text not null check (source <> ''),
  dialect text not null check (dialect in ('h2h-2026', 'h2h-2025')),
  resource text not null check (resource <> ''),
  day date not null,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  body bytea not null,
  size integer not null check (size >= 0),
  times integer not null default 1 check (times >= 1),
  first_fetched_at timestamptz not null,
  last_fetched_at timestamptz not null,
  ingested_at timestamptz,
  unique (source, resource, day, sha256),
  check (last_fetched_at >= first_fetched_at)
);
comment on table public.raw_payloads is 'What the league''s servers answered, verbatim (zlib), before anything interprets it.';
create index raw_payloads_pending on public.raw_payloads (id) where ingested_at is null;

create table public.quarantine (
  id bigint generated always as identity primary key,
  payload_id bigint not null references public.raw_payloads (id),
  row_index integer not null,
  reason text not null check (reason ~ '^[a-z0-9_]+$'),
  detail text not null,
  external_id text,
  row text not null,
  row_sha256 text not null,
  times integer not null default 1 check (times >= 1),
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  unique (reason, row_sha256)
);
comment on table public.quarantine is 'Rows that could not be believed, with the reason; a repeat only counts.';

create table public.players (
  name text primary key check (name <> ''),
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null
);
comment on table public.players is 'Everybody the league has named, in a result or a fixture.';

create table public.matches (
  external_id text primary key check (external_id <> ''),
  start_at timestamptz not null,
  player_a text not null references public.players (name),
  player_b text not null references public.players (name),
  team_a text,
  team_b text,
  stream text,
  status text not null check (status in ('final', 'void', 'cancelled')),
  score_a integer check (score_a >= 0),
  score_b integer check (score_b >= 0),
  first_observed_at timestamptz not null,
  last_observed_at timestamptz not null,
  revision integer not null default 1 check (revision >= 1),
  check (player_a <> player_b),
  check (status <> 'final' or (score_a is not null and score_b is not null and score_a <> score_b))
);
comment on table public.matches is 'Matches that are over, as last observed; match_arrivals keeps what was believed before.';
create index matches_in_order on public.matches (start_at, external_id) where status = 'final';

create table public.match_arrivals (
  arrival_id bigint generated always as identity primary key,
  external_id text not null,
  observed_at timestamptz not null,
  payload_id bigint not null references public.raw_payloads (id),
  start_at timestamptz not null,
  player_a text not null,
  player_b text not null,
  team_a text,
  team_b text,
  stream text,
  status text not null,
  score_a integer,
  score_b integer
);
comment on table public.match_arrivals is 'Append-only: every result that was new or had changed, in the order it became known.';
create index match_arrivals_of on public.match_arrivals (external_id);

create function public.refuse_change() returns trigger language plpgsql set search_path = '' as $$
begin
  raise exception '% is append-only: % refused', tg_table_name, tg_op using errcode = 'restrict_violation';
end $$;
create trigger match_arrivals_append_only before update or delete on public.match_arrivals
  for each row execute function public.refuse_change();
create trigger match_arrivals_no_truncate before truncate on public.match_arrivals
  for each statement execute function public.refuse_change();

create table public.upcoming_matches (
  external_id text primary key check (external_id <> ''),
  start_at timestamptz not null,
  player_a text not null references public.players (name),
  player_b text not null references public.players (name),
  team_a text,
  team_b text,
  stream text,
  status text not null check (status in ('scheduled', 'withdrawn', 'played')),
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  withdrawn_at timestamptz,
  withdrawn_because text check (withdrawn_because in ('vanished', 'no_result')),
  check (player_a <> player_b),
  check ((status = 'withdrawn') = (withdrawn_at is not null and withdrawn_because is not null))
);
comment on table public.upcoming_matches is 'Fixtures; one that vanished upstream is withdrawn, never deleted.';
create index upcoming_matches_next on public.upcoming_matches (start_at) where status = 'scheduled';

create table public.player_stats (
  player text primary key references public.players (name),
  matches integer not null check (matches >= 0),
  wins integer not null check (wins between 0 and matches),
  points_for bigint not null,
  points_against bigint not null,
  first_match_at timestamptz not null,
  last_match_at timestamptz not null,
  strength double precision,
  strength_sd double precision check (strength_sd >= 0),
  updated_at timestamptz not null
);
comment on table public.player_stats is 'Career of each player from final matches; strength in points of margin against the mean player.';

create table public.model_registry (
  sha256 text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null,
  document jsonb not null,
  active boolean not null default false
);
comment on table public.model_registry is 'Models that were trained; at most one forecasts.';
create unique index model_registry_one_active on public.model_registry (active) where active;

create table public.filter_states (
  model_sha256 text primary key references public.model_registry (sha256) on delete cascade,
  revision bigint not null check (revision >= 1),
  last_arrival_id bigint not null check (last_arrival_id >= 0),
  matches bigint not null check (matches >= 0),
  state bytea not null,
  updated_at timestamptz not null
);
comment on table public.filter_states is 'What the live filter knows (npz), written by compare-and-swap on revision.';

do $$
declare t text;
begin
  foreach t in array array['raw_payloads', 'quarantine', 'players', 'matches', 'match_arrivals',
    'upcoming_matches', 'player_stats', 'model_registry', 'filter_states'] loop
    execute format('alter table public.%I enable row level security', t);
    if exists (select 1 from pg_roles where rolname = 'anon') then
      execute format('revoke all on public.%I from anon, authenticated', t);
      execute format('grant select, insert, update, delete on public.%I to service_role', t);
    end if;
  end loop;
end $$;
