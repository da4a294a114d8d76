"""API keys over HTTP: made, listed, revoked by administrators."""
