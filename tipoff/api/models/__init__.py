"""Models over HTTP: what each promised and scored, and which one forecasts."""
