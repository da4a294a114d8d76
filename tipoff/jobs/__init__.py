"""Long work: a queue in Postgres, workers that lease from it, child processes with limits, schedules."""
