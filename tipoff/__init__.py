"""Tipoff: honest, calibrated forecasts for NBA 2K eSports matches."""

__version__ = "0.1.0"
