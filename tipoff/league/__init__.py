"""The built-in league: a simulator with known truth, and a server that speaks the upstream wire protocol."""
