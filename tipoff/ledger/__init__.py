"""The record: forecasts sealed before their matches, graded after them, verified by anybody."""
