"""Webhooks over HTTP: made, listed and removed by administrators; what was delivered."""
