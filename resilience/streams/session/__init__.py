"""Decisions about one socket of a stream: no I/O and no await."""
