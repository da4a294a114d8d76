"""Tipoff on Supabase: its CLI, its versions of Postgres, its roles."""
