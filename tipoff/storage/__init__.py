"""Everything that touches Postgres or a file of it: the only room with SQL."""
