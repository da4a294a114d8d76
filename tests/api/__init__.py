"""The API, over real HTTP from a real server process on a real Postgres."""
