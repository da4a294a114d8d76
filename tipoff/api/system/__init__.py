"""The system over HTTP: is it alive, what is it, how do its jobs do."""
