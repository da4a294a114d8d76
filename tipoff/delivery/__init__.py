"""Notices to people outside: who is told, in which words, and how they get there at least once."""
