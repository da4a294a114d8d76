"""Matches, fixtures and forecasts: frozen values and their rules, standard library only."""
