-- A price whose time was later than the moment it was imported (a file's time in another zone) must not look fresh later.

alter table public.odds_quotes add column first_seen_at timestamptz not null default now();
comment on column public.odds_quotes.first_seen_at is 'When it was imported: a price cannot have been posted later.';
