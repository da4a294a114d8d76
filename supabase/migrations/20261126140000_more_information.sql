-- Results since 2023, told apart from the league's own feed, and what the league says of single matches.

alter table public.matches add column older boolean not null default false;
comment on column public.matches.older is 'Only tipoff history fetch has told of it: learned from where TIPOFF_LEARN_OLDER says so.';
alter table public.match_arrivals add column older boolean not null default false;
alter table public.filter_states add column older boolean not null default false;
comment on column public.filter_states.older is 'Whether it has learned from older results too; one that has not what is asked for is learned afresh.';

create table public.match_details (
  external_id text primary key references public.matches (external_id),
  revision integer not null check (revision >= 1),
  tries integer not null check (tries >= 1),
  outcome text not null check (outcome in ('whole', 'raw', 'missing', 'failed')),
  reason text not null,
  asked_at timestamptz not null,
  next_at timestamptz,
  payload_id bigint references public.raw_payloads (id),
  check ((outcome in ('whole', 'raw')) <= (payload_id is not null)),
  check (outcome <> 'whole' or next_at is null)
);
comment on table public.match_details is 'What came of asking for the scores of a match by period: read, kept unread with the reason, none there, not answered.';
comment on column public.match_details.revision is 'That of the result they were asked for; after a correction they are asked for again.';
comment on column public.match_details.next_at is 'When to ask again; never where it is null.';

create table public.match_periods (
  external_id text not null references public.match_details (external_id) on delete cascade,
  period text not null check (period in ('quarter-1', 'quarter-2', 'quarter-3', 'quarter-4', 'overtime')),
  points_a integer not null check (points_a >= 0),
  points_b integer not null check (points_b >= 0),
  primary key (external_id, period)
);
comment on table public.match_periods is 'Points of each side by period, where they add up to the result; knowable when the result is, never before.';

do $$
declare t text;
begin
  foreach t in array array['match_details', 'match_periods'] loop
    call public.open_table(t, 'select, insert, update, delete');
  end loop;
end $$;
