"""Is everything as it should be: checks that look at the real thing, their history, and alerts."""
