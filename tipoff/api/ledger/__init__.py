"""The ledger over HTTP: its rows, its head, and an export that anybody can verify."""
