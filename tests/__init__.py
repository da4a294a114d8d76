"""Tests, by depth."""
