#!/bin/sh
# Run once by the Postgres image, on an empty volume: the role that Tipoff works as. It owns nothing, so it cannot
# switch the ledger's guard off; the migrations grant it what it needs.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$APPLICATION_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role tipoff_app login password :'password';
SQL
