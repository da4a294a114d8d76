"""The HTTP API: one folder a resource; every operation a job, every figure with its time."""
