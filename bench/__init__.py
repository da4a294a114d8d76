"""Measurements beside peers and floors in the same run; `make bench` writes bench/results.json and the README."""
