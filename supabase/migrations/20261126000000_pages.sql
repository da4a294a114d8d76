-- Pages: how teams did, and an index for each question about sealed forecasts.

create table public.team_stats (
  team text primary key check (team <> ''),
  matches integer not null check (matches >= 1),
  wins integer not null check (wins between 0 and matches),
  points_for bigint not null,
  points_against bigint not null,
  strength double precision,
  strength_sd double precision check (strength_sd >= 0),
  updated_at timestamptz not null
);
comment on table public.team_stats is 'Record of each team from final matches; strength in points of margin against the mean team.';
create index team_stats_board on public.team_stats ((coalesce(strength, '-infinity'::float8)) desc, team);

create table public.team_players (
  team text not null check (team <> ''),
  player text not null references public.players (name),
  matches integer not null check (matches >= 1),
  wins integer not null check (wins between 0 and matches),
  points_for bigint not null,
  points_against bigint not null,
  primary key (team, player)
);
comment on table public.team_players is 'Record of each player with each team from final matches; team_stats sums it up.';
create index team_players_of_player on public.team_players (player);

create index match_predictions_of_horizon on public.match_predictions (horizon, ledger_seq);
create index ledger_of_player_a on public.ledger (((content::jsonb) #>> '{body,player_a}'), horizon, seq) where kind = 'seal';
create index ledger_of_player_b on public.ledger (((content::jsonb) #>> '{body,player_b}'), horizon, seq) where kind = 'seal';
create index ledger_not_graded on public.ledger (((content::jsonb) #>> '{body,status}'), grades)
  where kind = 'grade' and ((content::jsonb) #>> '{body,status}') <> 'graded';

do $$
declare t text;
begin
  foreach t in array array['team_stats', 'team_players'] loop
    call public.open_table(t, 'select, insert, update, delete');
  end loop;
end $$;
