"""`/metrics`: what this process has served and what the database holds, as Prometheus reads it."""
