"""Checks policy files and warns about settings that have no effect."""
