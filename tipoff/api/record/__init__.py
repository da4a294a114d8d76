"""The track record over HTTP, as a job worked it out."""
