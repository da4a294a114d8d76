"""Kills, freezes and outages; small in CI, whole by `make chaos`."""
