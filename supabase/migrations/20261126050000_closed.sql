-- Closed by default: what a migration makes is nobody's until it is granted, also in projects whose defaults grant
-- everything to Supabase's roles (docs/decisions/0018-supabase.md).

create or replace procedure public.open_table(name text, privileges text) language plpgsql set search_path = '' as $$
begin
  execute format('alter table public.%I enable row level security', name);
  if exists (select 1 from pg_roles where rolname = 'anon') then
    execute format('revoke all on public.%I from anon, authenticated, service_role', name);
    execute format('grant %s on public.%I to service_role', privileges, name);
  end if;
  if exists (select 1 from pg_roles where rolname = 'tipoff_app') then
    execute format('grant %s on public.%I to tipoff_app', privileges, name);
    execute format('create policy application on public.%I to tipoff_app using (true) with check (true)', name);
  end if;
end $$;

do $$
declare one record;
begin
  -- Databases begun before Postgres 15 still let everybody create in public.
  revoke create on schema public from public;
  if not exists (select 1 from pg_roles where rolname = 'anon') then
    return;
  end if;
  alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
  alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
  alter default privileges in schema public revoke all on routines from anon, authenticated, service_role;
  -- Ours alone: the owner of what an extension put into public is somebody else.
  for one in
    select format('%s %s', case prokind when 'p' then 'procedure' else 'function' end, oid::regprocedure) as name
    from pg_proc where pronamespace = 'public'::regnamespace and pg_get_userbyid(proowner) = current_user
  loop
    execute format('revoke all on %s from anon, authenticated, service_role', one.name);
  end loop;
  -- The server's key may do what the application's role may: the ledger grows by its functions alone.
  for one in
    select format('%I.%I', 'public', relname) as name, relkind = 'S' as sequence, case
      when relkind = 'v' or relname in ('ledger', 'match_predictions') then 'select'
      when relname = 'match_arrivals' then 'select, insert'
      when relname = 'forecast_revision' then 'select, update'
      else 'select, insert, update, delete' end as privileges
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'S')
      and pg_get_userbyid(relowner) = current_user
  loop
    execute format('revoke all on %s from anon, authenticated, service_role', one.name);
    if not one.sequence then
      execute format('grant %s on %s to service_role', one.privileges, one.name);
    end if;
  end loop;
  grant usage on sequence public.step_revisions to service_role;
  grant execute on function public.ledger_open(text, text, timestamptz), public.ledger_now(timestamptz),
    public.ledger_seal(text[], timestamptz), public.ledger_grade(text[], timestamptz), public.tell(text, text[]),
    public.ledger_time(timestamptz) to service_role;
end $$;
