"""Matches over HTTP: what comes, what was, and one of them whole."""
