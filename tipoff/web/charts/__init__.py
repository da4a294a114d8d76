"""Charts: pure functions from data to SVG, each with a table that says the same; colours come from `charts.css`."""
