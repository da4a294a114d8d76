-- Posted prices: quotes whose match was not found wait, and lists of quotes have an index for their order.

create table public.odds_waiting (
  id bigint generated always as identity primary key,
  external_id text,
  start_at timestamptz,
  player_a text,
  player_b text,
  bookmaker text not null check (bookmaker <> ''),
  market text not null check (market in ('winner', 'total', 'spread', 'team_total_a', 'team_total_b')),
  line double precision,
  price_over double precision not null check (price_over > 1),
  price_under double precision not null check (price_under > 1),
  quoted_at timestamptz not null,
  reason text not null check (reason in ('no_such_match', 'other_players', 'ambiguous', 'contradicts')),
  detail text not null,
  first_seen_at timestamptz not null default now(),
  check (external_id is not null or (start_at is not null and player_a is not null and player_b is not null)),
  unique nulls not distinct (external_id, start_at, player_a, player_b, bookmaker, market, line, quoted_at, price_over,
    price_under)
);
comment on table public.odds_waiting is 'Posted prices as their file had them, whose match was not found, with the reason; each import tries them again.';

create index odds_quotes_by_time on public.odds_quotes (quoted_at desc, id desc);

call public.open_table('odds_waiting', 'select, insert, update, delete');
