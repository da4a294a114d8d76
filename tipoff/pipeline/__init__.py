"""The live path's steps: fetch and ingest, train, bring the filter up to date, forecast, and all in a loop."""
