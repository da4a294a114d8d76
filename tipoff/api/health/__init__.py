"""The health of the system over HTTP."""
