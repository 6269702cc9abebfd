"""Decisions about one call: no I/O and no await."""
