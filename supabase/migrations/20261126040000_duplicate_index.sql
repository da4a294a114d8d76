-- Two indexes on the same column in the same order, as the database care found: one is enough.
drop index if exists public.quarantine_recent;
