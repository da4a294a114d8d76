"""The dashboard: pages that are complete without JavaScript, from the answers of the API."""
