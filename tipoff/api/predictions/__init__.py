"""Forecasts over HTTP: of fixtures, and of any two players."""
