"""Posted prices over HTTP."""
